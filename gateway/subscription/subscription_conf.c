/* The keys of the section `subscription`: see standing.h. */
#include "subscription/standing.h"

enum { DAY = 86400, YEAR = 366 * DAY };

static const char *const grace_levels[] = {"notice", "readonly", NULL};
static const char *const without_levels[] = {"blocked", "readonly", "full", NULL}; /* in the order of standing.c's without_level */

const struct tg_key tg_subscription_keys[] = {
    {"warning", TG_SECONDS, offsetof(struct tg_subscription_conf, warning_s), .initial = "14d", .min = 0, .max = YEAR,
     .help = "how long before its end a subscription is said to end"},
    {"grace", TG_SECONDS, offsetof(struct tg_subscription_conf, grace_s), .initial = "7d", .min = 0, .max = YEAR,
     .help = "how long after its end an account stays open"},
    {"grace-level", TG_CHOICE, offsetof(struct tg_subscription_conf, grace_level), .initial = "notice", .choices = grace_levels,
     .help = "what an account may do in that time"},
    {"retention", TG_SECONDS, offsetof(struct tg_subscription_conf, retention_s), .initial = "90d", .min = DAY, .max = 10LL * YEAR,
     .help = "how long a closed account is kept before its data may be removed"},
    {"without-subscription", TG_CHOICE, offsetof(struct tg_subscription_conf, without_subscription), .initial = "blocked",
     .choices = without_levels, .help = "what an account may do that never had a subscription"},
    {"renew-url", TG_URL, offsetof(struct tg_subscription_conf, renew_url), .required = true, .example = "https://auth.example.net/renew",
     .help = "where a subscription is renewed; every refusal leads there"},
    {"takeout-url", TG_URL, offsetof(struct tg_subscription_conf, takeout_url), .example = "https://auth.example.net/takeout",
     .help = "where an account's data is downloaded; not offered when it is not set"},
    {"contact-url", TG_URL, offsetof(struct tg_subscription_conf, contact_url), .example = "https://example.net/contact",
     .help = "where people write to you about a hold; not offered when it is not set"},
    {"zone", TG_ZONE, offsetof(struct tg_subscription_conf, zone), .initial = "UTC",
     .help = "the time zone in which dates are told to accounts without one of their own"},
    {NULL},
};
