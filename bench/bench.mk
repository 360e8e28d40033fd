# SPDX-License-Identifier: MIT
# What measuring needs besides Warm. Included by the Makefile.

B := $(BUILD)/bench

all: $(addprefix $(B)/,spawnbench native crowd tiles forkclient)

SPAWNBENCH := $(call objs,bench/spawnbench)
$(B)/spawnbench: $(SPAWNBENCH)
	@mkdir -p $(@D)
	$(CC) -o $@ $^
$(SPAWNBENCH): HOSTED :=

# What a user would write: the SDK and libc.
$(B)/native $(B)/crowd $(B)/tiles: $(B)/%: bench/apps/%.c $(BUILD)/libwarm.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MF $@.d -Isdk/c -o $@ $< $(BUILD)/libwarm.a -lpthread
$(B)/forkclient: bench/apps/forkclient.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MF $@.d -static -o $@ $<

# Applications that are built for measuring only: where there is a JDK, and a npm that has its registry.
.PHONY: bench bench-apps bench-report
bench-apps: all
ifneq ($(JAVAC),)
bench-apps: $(B)/jvm/server.jar
endif
ifneq ($(and $(NODE_INCLUDE),$(shell command -v npm)),)
bench-apps: $(B)/node/server.js
endif
$(B)/jvm/server.jar: bench/apps/jvm/Server.java $(BUILD)/java/warm.jar
	@mkdir -p $(@D)/classes
	$(JAVAC) --release 17 -cp $(BUILD)/java/warm.jar -d $(@D)/classes $<
	$(JDK)/bin/jar --create --file $@ -C $(@D)/classes .
$(B)/node/server.js: $(wildcard bench/apps/node/*)
	@mkdir -p $(@D)
	cp $^ $(@D)/
	cd $(@D) && npm install --no-audit --no-fund --no-package-lock --loglevel=error
	@touch $@

bench: bench-apps ## measure, as ratios to /bin/true; takes up to 40 minutes (bench/run [--quick] CASE… for some)
	@WARM_BUILD=$(abspath $(BUILD)) bench/run

bench-report: ## what bench/run has measured here so far, as plots over time: build/bench/report/index.html
	@WARM_BUILD=$(abspath $(BUILD)) bench/run --report
