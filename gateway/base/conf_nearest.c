/* Did you mean: the distance between two words in slips of the keyboard. */
#include "base/conf_parts.h"

enum { LONGEST_WORD = 48 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Capitals are no slip. */
static char folded(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Letters to insert, remove, replace or swap with their neighbour (optimal string alignment). */
static size_t distance(struct tg_text a, struct tg_text b)
{
    size_t rows[3][LONGEST_WORD + 1]; /* two letters ago, one letter ago, now */

    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = folded(a.base[i - 1]) == folded(b.base[j - 1]);

            now[j] = smaller(smaller(before[j] + 1, now[j - 1] + 1), before[j - 1] + !same);
            if (i > 1 && j > 1 && folded(a.base[i - 1]) == folded(b.base[j - 2]) &&
                folded(a.base[i - 2]) == folded(b.base[j - 1]))
                now[j] = smaller(now[j], earlier[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

void tg_nearest_try(struct tg_nearest *nearest, const char *name)
{
    struct tg_text known = tg_text(name);

    if (nearest->wanted.len == 0 || nearest->wanted.len > LONGEST_WORD || known.len > LONGEST_WORD)
        return;
    size_t slips = distance(nearest->wanted, known);
    size_t most = smaller(nearest->wanted.len, known.len) / 3; /* a third of the word may be wrong, at least one letter */
    if (slips > (most > 0 ? most : 1) || slips >= known.len)
        return;
    if (nearest->name == NULL || slips < nearest->distance) {
        nearest->name = name;
        nearest->distance = slips;
    }
}
