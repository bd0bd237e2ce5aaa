/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's pipeline once more, under other names and with a clock around each stage: stage_clock.h. */
#define sl_pipeline_receive sl_pipeline_receive_clocked
#define sl_pipeline_inject sl_pipeline_inject_clocked
#define sl_pipeline_release sl_pipeline_release_clocked
#define sl_pipeline_end sl_pipeline_end_clocked

#define SEALANE_CLOCKED_PIPELINE
#include "stage_clock.h"

#include "pipeline.c"
