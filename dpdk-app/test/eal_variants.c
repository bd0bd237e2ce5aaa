/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which variant of the packet path is chosen, against what the kernel says of this CPU. That each of them
 * forwards as it should is what the other tests are run for once more (CMakeLists.txt).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "variant.h"

/* Whether "flags" of /proc/cpuinfo has all of these words; the kernel lists what programs may use. */
static bool kernel_lists(const char *const *words)
{
	static char line[16384];
	FILE *file = fopen("/proc/cpuinfo", "r");
	bool all = true;

	assert_non_null(file);
	do
		assert_non_null(fgets(line, sizeof(line), file));
	while (strncmp(line, "flags", 5) != 0);
	fclose(file);
	line[strcspn(line, "\n")] = ' ';
	for (; *words != NULL; words++) {
		char word[32];

		snprintf(word, sizeof(word), " %s ", *words);
		all = all && strstr(line, word) != NULL;
	}
	return all;
}

static void each_says_whether_it_runs_here(void **state)
{
	static const char *const words[][8] = {
		{NULL},
		{"avx2", "bmi1", "bmi2", NULL},
		{"avx2", "bmi1", "bmi2", "avx512f", "avx512bw", "avx512dq", "avx512vl", NULL},
	};
	unsigned int best = 0;

	(void)state;
	assert_int_equal(sl_variant_count, sizeof(words) / sizeof(words[0]));
	for (unsigned int i = 0; i < sl_variant_count; i++) {
		bool here = kernel_lists(words[i]);

		assert_int_equal(sl_variants[i].runs_here(), here);
		if (here)
			best = i;
		else
			printf("this CPU cannot run variant %s: it lacks some of %s\n",
			       sl_variants[i].name, sl_variants[i].needs);
	}
	assert_ptr_equal(sl_variant_best(), &sl_variants[best]);
}

static struct {
	const struct sl_worker *worker;
	unsigned int calls;
} seen;

static uint32_t note_flush(struct sl_worker *w)
{
	seen.worker = w;
	seen.calls++;
	return 7;
}

static void the_one_in_use_is_called(void **state)
{
	struct sl_variant own = sl_variants[0];
	static struct sl_worker worker;

	(void)state;
	assert_ptr_equal(sl_variant_used(), &sl_variants[0]);
	own.flush = note_flush;
	sl_variant_use(&own);
	assert_int_equal(sl_pipeline_flush(&worker), 7);
	sl_variant_use(&sl_variants[0]);
	assert_int_equal(seen.calls, 1);
	assert_ptr_equal(seen.worker, &worker);
}

/* Entry points of their own: two variants with the same ones would be one. */
static void each_has_its_own_code(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sl_variant_count; i++)
		for (unsigned int j = 0; j < i; j++) {
			assert_true(sl_variants[i].receive != sl_variants[j].receive);
			assert_true(sl_variants[i].flush != sl_variants[j].flush);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_says_whether_it_runs_here),
		cmocka_unit_test(the_one_in_use_is_called),
		cmocka_unit_test(each_has_its_own_code),
	};

	return cmocka_run_group_tests_name("eal_variants", tests, NULL, NULL);
}
