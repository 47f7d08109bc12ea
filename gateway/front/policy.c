/*
 * policy.c - the steps that classify a request and decide whether it may pass
 */
#include "front/policy.h"
#include "base/judge_clock.h"
#include "base/result.h"
#include "front/guard.h"
#include "front/push.h"
#include "front/refuse.h"
#include "front/sign_in.h"
#include "front/state.h"
#include "http/reply.h"

/* Names of verdicts, for log and metrics (at most TG_METRIC_VERDICTS - 1). */
enum verdict {
    ALLOW, NOTICE, INVALID, CLOSED, FORBIDDEN, PROHIBITED, UNMANAGED, UNAVAILABLE, BAD_REQUEST,
    REFUSE_NONE, REFUSE_READONLY, REFUSE_EXPIRED, REFUSE_ENDED, REFUSE_HELD,
};

static const char *const verdict_names[] = {
    [ALLOW] = "allow",
    [NOTICE] = "notice",
    [INVALID] = "invalid-credential",
    [CLOSED] = "closed",
    [FORBIDDEN] = "forbidden",
    [PROHIBITED] = "prohibited",
    [UNMANAGED] = "unmanaged",
    [UNAVAILABLE] = "unavailable",
    [BAD_REQUEST] = "bad-request",
    [REFUSE_NONE] = "refuse-without-subscription",
    [REFUSE_READONLY] = "refuse-readonly",
    [REFUSE_EXPIRED] = "refuse-expired",
    [REFUSE_ENDED] = "refuse-ended",
    [REFUSE_HELD] = "refuse-held",
    NULL,
};

_Static_assert(tg_count(verdict_names) <= TG_METRIC_VERDICTS, "each verdict has a counter of its own");

const char *tg_door_name(int door)
{
    return door >= 0 && door < TG_DOORS ? tg_door_infos[door].name : NULL;
}

const struct tg_metric_names tg_front_names = {tg_door_name, verdict_names};

enum tg_ruling tg_rule(enum tg_door door, bool unsafe, enum tg_level level)
{
    if (door == TG_DOOR_OTHER && unsafe)
        door = TG_DOOR_WEB_WRITE;
    return tg_rulings[door][level];
}

static void decide(struct tg_visit *visit, enum verdict verdict)
{
    visit->verdict.name = verdict_names[verdict];
}

enum tg_step_answer tg_step_classify(struct tg_visit *visit)
{
    const struct tg_front_host *host = tg_front_host_of(visit);
    const char *text;

    if (host == NULL)
        return TG_STEP_NEXT;
    visit->door = tg_door_of(tg_text_of(visit->req->method), &visit->path, host->conf->source);
    decide(visit, BAD_REQUEST);
    if ((text = tg_guard_credential(visit)) != NULL)
        return tg_refuse(visit, TG_ERROR_BAD_REQUEST, text);
    switch (visit->door) {
    case TG_DOOR_CLOSED:
        decide(visit, CLOSED);
        return tg_refuse(visit, TG_ERROR_CLOSED, "closed");
    case TG_DOOR_LOGIN_START:
    case TG_DOOR_LOGIN_CALLBACK:
        if (!tg_sign_in_query_fits(visit->door, visit->path.query))
            return tg_refuse(visit, TG_ERROR_BAD_REQUEST, "sign-in-query");
        break;
    case TG_DOOR_LOGIN_PAGE:
        if ((text = tg_sign_in_redirect(visit)) != NULL) {
            decide(visit, ALLOW);
            tg_reply_redirect(visit, 303, text);
            return TG_STEP_DONE;
        }
        break;
    default:
        break;
    }
    visit->verdict.name = NULL;
    return TG_STEP_NEXT;
}

static enum verdict name_refusal(const struct tg_standing *standing)
{
    if (standing->held)
        return REFUSE_HELD;
    if (standing->level == TG_LEVEL_READONLY)
        return REFUSE_READONLY;
    if (standing->level == TG_LEVEL_GONE || standing->phase == TG_PHASE_ENDED)
        return REFUSE_ENDED;
    return standing->phase == TG_PHASE_NONE ? REFUSE_NONE : REFUSE_EXPIRED;
}

static bool is_for_operators(const struct tg_visit *visit)
{
    return visit->door == TG_DOOR_OPERATOR || visit->door == TG_DOOR_OPERATOR_API;
}

/* Operators are accounts of ours; Gitea's own administrators are not among them unless they are let through by name. */
static enum tg_step_answer refuse_stranger(struct tg_visit *visit)
{
    decide(visit, FORBIDDEN);
    return tg_refuse(visit, TG_ERROR_FORBIDDEN, "not-an-operator");
}

/* Nobody, so far: a person is asked who he is. */
static enum tg_step_answer admit_stranger(struct tg_visit *visit)
{
    const char *location;

    if (!is_for_operators(visit))
        return TG_STEP_NEXT;
    if (visit->door != TG_DOOR_OPERATOR || (location = tg_sign_in_return(visit)) == NULL)
        return refuse_stranger(visit);
    decide(visit, FORBIDDEN);
    visit->refusal = "not-signed-in";
    tg_reply_redirect(visit, 303, location);
    return TG_STEP_DONE;
}

static void find_standing(const struct tg_visit *visit, struct tg_standing *standing)
{
    tg_standing(visit->identity.facts, tg_front_of(visit)->front->options.rules, tg_judge_now_s(), standing);
}

bool tg_policy_lasts(const struct tg_visit *visit)
{
    struct tg_standing standing;

    if (visit->identity.facts == NULL || visit->identity.facts->is_operator)
        return true;
    find_standing(visit, &standing);
    return tg_rule(visit->door, false, standing.level) != TG_RULING_REFUSE;
}

static enum tg_step_answer refuse_standing(struct tg_visit *visit, const struct tg_standing *standing)
{
    decide(visit, name_refusal(standing));
    if (visit->identity.is_unproved)
        return tg_refuse_named(visit, visit->verdict.name);
    return tg_refuse_standing(visit, visit->identity.facts, standing);
}

/* Who may only read is told so when git-lfs asks where to send files, not when it has sent them. */
static void on_batch_told(struct tg_visit *visit, bool is_upload)
{
    struct tg_standing standing;

    find_standing(visit, &standing);
    if (is_upload && tg_rule(TG_DOOR_LFS_WRITE, true, standing.level) == TG_RULING_REFUSE)
        refuse_standing(visit, &standing);
    else
        tg_visit_resume(visit);
}

static enum tg_step_answer judge(struct tg_visit *visit)
{
    const struct tg_facts *facts = visit->identity.facts;
    bool unsafe = (tg_door_method(tg_text_of(visit->req->method)) & TG_DOOR_UNSAFE) != 0;
    struct tg_standing standing;
    enum tg_ruling ruling;

    if (is_for_operators(visit) && (!facts->is_operator || visit->identity.is_unproved))
        return refuse_stranger(visit);
    if (facts->is_operator)
        return TG_STEP_NEXT;
    find_standing(visit, &standing);
    ruling = tg_rule(visit->door, unsafe, standing.level);
    if (ruling == TG_RULING_REFUSE)
        return refuse_standing(visit, &standing);
    if (ruling == TG_RULING_NOTICE)
        decide(visit, NOTICE);
    if (standing.level == TG_LEVEL_READONLY && visit->identity.kind == TG_IDENTITY_ACCOUNT && tg_batch_await(visit, on_batch_told))
        return TG_STEP_WAIT;
    return TG_STEP_NEXT;
}

/* Valid, but Gitea's flag (or ours) says no. When it is the subscription that is behind it, those words help more. */
static enum tg_step_answer refuse_prohibited(struct tg_visit *visit)
{
    if (visit->identity.facts != NULL && judge(visit) == TG_STEP_DONE)
        return TG_STEP_DONE;
    decide(visit, PROHIBITED);
    if (visit->identity.is_unproved)
        return tg_refuse_named(visit, "prohibited");
    return tg_refuse_sentence(visit, 403, "This account may not sign in here now. Its operators know why.", "prohibited");
}

static enum tg_step_answer refuse_unmanaged(struct tg_visit *visit)
{
    enum { REFUSE };

    if (visit->identity.is_listed && !(is_for_operators(visit) && visit->identity.is_unproved))
        return TG_STEP_NEXT;
    if (is_for_operators(visit))
        return refuse_stranger(visit);
    if (tg_front_host_of(visit)->conf->unmanaged != REFUSE)
        return TG_STEP_NEXT;
    decide(visit, UNMANAGED);
    return tg_refuse_sentence(visit, 403, "This credential belongs to a user without an account of this service.", "unmanaged");
}

/* Of an image there is nothing for who is refused: Gitea would say 401 to whom we have prohibited there, at which clients stop without a
   word; at 404 they go on to what can be answered with words. */
static bool hides_image(const struct tg_visit *visit)
{
    struct tg_standing standing;

    if (visit->identity.facts == NULL || visit->identity.facts->is_operator || visit->door != TG_DOOR_REGISTRY_TOKEN ||
        !tg_text_is(tg_text_of(visit->req->method), "HEAD"))
        return false;
    find_standing(visit, &standing);
    return tg_rule(TG_DOOR_REGISTRY_READ, false, standing.level) == TG_RULING_REFUSE;
}

enum tg_step_answer tg_step_policy(struct tg_visit *visit)
{
    if (tg_front_host_of(visit) == NULL)
        return TG_STEP_NEXT;
    if (hides_image(visit)) {
        decide(visit, CLOSED);
        return tg_refuse(visit, TG_ERROR_NOT_FOUND, "image");
    }
    decide(visit, ALLOW);
    if (tg_rule(visit->door, false, TG_LEVEL_GONE) == TG_RULING_PASS)
        return TG_STEP_NEXT; /* open to everybody, whoever it is */
    switch (visit->identity.kind) {
    case TG_IDENTITY_ACCOUNT:
        return judge(visit);
    case TG_IDENTITY_PROHIBITED:
        return refuse_prohibited(visit);
    case TG_IDENTITY_UNMANAGED:
        return refuse_unmanaged(visit);
    case TG_IDENTITY_UNAVAILABLE:
        decide(visit, UNAVAILABLE);
        return tg_refuse(visit, TG_ERROR_UNAVAILABLE, "unavailable");
    case TG_IDENTITY_INVALID: /* goes on without its credential, and Gitea asks for one */
        decide(visit, INVALID);
        return admit_stranger(visit);
    default:
        return admit_stranger(visit);
    }
}
