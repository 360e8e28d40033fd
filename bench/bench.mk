# SPDX-License-Identifier: MIT
# What measuring needs besides Warm. Included by the Makefile.

all: $(BUILD)/bench/spawnbench

$(BUILD)/bench/spawnbench: $(BUILD)/obj/bench/spawnbench.o
	@mkdir -p $(@D)
	$(CC) -o $@ $<
$(BUILD)/obj/bench/spawnbench.o: HOSTED :=

.PHONY: bench
bench: all ## measure, as ratios to /bin/true (bench/run CASE… for some)
	@WARM_BUILD=$(abspath $(BUILD)) bench/run
