# SPDX-License-Identifier: MIT
# What measuring needs besides Warm. Included by the Makefile.

all: $(BUILD)/bench/spawnbench $(BUILD)/bench/counter $(BUILD)/bench/crowd

$(BUILD)/bench/spawnbench: $(BUILD)/obj/bench/spawnbench.o
	@mkdir -p $(@D)
	$(CC) -o $@ $<
$(BUILD)/obj/bench/spawnbench.o: HOSTED :=

# What a user would write: the SDK and libc.
$(BUILD)/bench/counter: bench/apps/counter.c $(BUILD)/libwarm.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MF $@.d -Isdk/c -o $@ $< $(BUILD)/libwarm.a

$(BUILD)/bench/crowd: bench/apps/crowd.c $(BUILD)/libwarm.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MF $@.d -Isdk/c -o $@ $< $(BUILD)/libwarm.a -lpthread

.PHONY: bench
bench: all ## measure, as ratios to /bin/true (bench/run CASE… for some)
	@WARM_BUILD=$(abspath $(BUILD)) bench/run
