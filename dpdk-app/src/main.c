/* SPDX-License-Identifier: Apache-2.0 */
#include <rte_eal.h>
#include <rte_version.h>
#include <stdio.h>

int main(void)
{
	printf("sealane-worker, %s\n", rte_version());
	return 0;
}
