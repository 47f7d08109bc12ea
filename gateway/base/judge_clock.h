/*
 * judge_clock.h - the time by which subscriptions are judged
 *
 * It is the wall clock, as long as that keeps the pace of the machine. A wall clock that was set by more than ten minutes is
 * not followed: time goes on at the pace of the machine until somebody vouches for another clock. While it is held it stands
 * still, so that nothing gets worse by time alone. Who decides is jobs; all other processes hear of it from the database
 * (store/clock.h). One for the process. Any thread, without locks.
 */
#ifndef TG_BASE_JUDGE_CLOCK_H
#define TG_BASE_JUDGE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum { TG_JUDGE_JUMP_S = 600 };

int64_t tg_judge_now_s(void);
bool tg_judge_is_held(void);

/* The wall clock is right when it is so far ahead of tg_uptime_ms, give or take ten minutes. */
void tg_judge_trust(int64_t offset_ms);
void tg_judge_hold(int64_t at_s);       /* it is this time, until it is released */
void tg_judge_release(void);

/* Since the machine started; goes on while it sleeps. */
int64_t tg_uptime_ms(void);

/* Which start of the machine this is; "" where the system does not say, and uptimes of two processes cannot be compared. */
enum { TG_BOOT = 40 };
void tg_boot_name(char out[TG_BOOT]);

#endif
