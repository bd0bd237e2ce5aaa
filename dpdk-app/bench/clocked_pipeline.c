/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's pipeline once more, with a clock around each stage: stage_clock.h. The build gives its entry points
 * other names, and makes it for each variant.
 */
#define SEALANE_CLOCKED_PIPELINE
#include "stage_clock.h"

#include "pipeline.c"
