# SPDX-License-Identifier: MIT
# How the tests are built and run. Included by the Makefile; every path is relative to the repository.

PYTHON  := /usr/bin/python3
TESTENV  = WARM_BUILD=$(abspath $(BUILD)) PYTHONDONTWRITEBYTECODE=1
T       := $(BUILD)/tests

# Unit tests take what they need from an archive of everything that is hosted: two layers may use one name.
UNDER    = $(filter-out %/main.o,$(call objs,base proto cache policy sdk/c sdk/cli sdk/cli/hot snapshot restore plugins warmd warmd/opened pager)) $(GEN_O) \
           $(BUILD)/obj/restorer_blob.o
UNITS   := $(patsubst tests/unit/%.c,$(T)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
VICTIMS := $(patsubst tests/victims/%.c,$(T)/victims/%,$(sort $(wildcard tests/victims/*.c)))

$(T)/libunder.a: $(UNDER)
	@mkdir -p $(@D)
	@rm -f $@
	ar qcs $@ $^

$(T)/unit/%: tests/unit/%.c $(T)/libunder.a | $(GEN_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(HOSTED) -MF $@.d -o $@ $< $(T)/libunder.a $(LIBS) -lev -lcmocka -lpthread -lrt -lm

# Victims and the application of the end-to-end tests are what a user would write: the SDK and libc, no sanitizer.
$(T)/victims/%: tests/victims/%.c $(BUILD)/libwarm.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(KIND) -MF $@.d -o $@ $< $(BUILD)/libwarm.a -lpthread -lrt -ldl -lm
$(T)/victims/exe_static: KIND := -static
$(T)/victims/exe_static_pie: KIND := -static-pie -fPIE
$(T)/victims/exe_nopie: KIND := -no-pie -fno-pie
E2E_PROGRAMS := $(patsubst tests/e2e/%.c,$(T)/%,$(wildcard tests/e2e/*.c))
$(T)/dice: LDLIBS := -lcrypto
$(E2E_PROGRAMS): $(T)/%: tests/e2e/%.c $(BUILD)/libwarm.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MF $@.d -o $@ $< $(BUILD)/libwarm.a $(LDLIBS) -lpthread
$(T)/killer.so: tests/e2e/killer/killer.c
$(T)/ready.so: tests/e2e/ready/ready.c
$(T)/ceiling.so: tests/e2e/ceiling/ceiling.c
$(T)/killer.so $(T)/ready.so $(T)/ceiling.so:
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -shared -fPIC -MF $@.d -o $@ $<
# The same with OpenSSL found late, and with it inside.
$(T)/dice_late $(T)/dice_inside: $(T)/dice_%: tests/e2e/dice.c $(BUILD)/libwarm.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(KIND) -MF $@.d -o $@ $< $(BUILD)/libwarm.a $(LDLIBS) -lpthread
$(T)/dice_late: KIND := -DDICE_LATE
$(T)/dice_inside: LDLIBS := -l:libcrypto.a
# A clone and its loader without the rest of Warm, for warm-pager.
$(T)/pager_case: $(wildcard tests/pager/*.c) tests/pager/stage.h tests/pager/cases.h $(T)/libunder.a | $(GEN_H)
	@mkdir -p $(@D)
	$(CC) $(filter-out -MMD -MP,$(CPPFLAGS)) $(CFLAGS) -o $@ $(filter %.c %.a,$^) $(LIBS) -lpthread
E2E     := $(T)/pager_case $(E2E_PROGRAMS) $(T)/dice_late $(T)/dice_inside $(T)/killer.so $(T)/ready.so $(T)/ceiling.so

# Plugins for tests: memfile is the example of docs/PLUGINS.md; naughty.c is everything that one can do wrong.
NAUGHTY := crash_load hang_load crash_process hang_process refuse_process crash_offer hang_offer exit_offer nonsense \
           refuse_device crash_resumed crash_plan hang_plan refuse_plan bad_call failing_call wrong_abi short_table \
           wrong_name no_paths witness leave babble_load babble_offer short_offer meddle aged alter forget crash_stopped \
           hang_stopped refuse_stopped hang_later hang_much_later
TEST_PLUGINS := $(patsubst %,$(T)/plugins/%.so,memfile $(NAUGHTY)) $(T)/plugins/aged_more.so $(T)/plugins/careless/memfile.so \
                $(T)/holder
AS_PLUGIN = $(CC) $(CFLAGS) -D_GNU_SOURCE -I. -Iplugins -fPIC -shared -Wl,-z,defs -o $@ $<
$(T)/plugins/memfile.so: tests/plugins/memfile.c plugins/warm_plugin.h
	@mkdir -p $(@D)
	$(AS_PLUGIN)
$(T)/plugins/careless/memfile.so: tests/plugins/careless.c tests/plugins/memfile.c plugins/warm_plugin.h
	@mkdir -p $(@D)
	$(AS_PLUGIN)
$(patsubst %,$(T)/plugins/%.so,$(NAUGHTY)): $(T)/plugins/%.so: tests/plugins/naughty.c plugins/warm_plugin.h
	@mkdir -p $(@D)
	$(AS_PLUGIN) -DNAME='"$*"' -D$$(echo $* | tr a-z A-Z)
$(T)/plugins/aged_more.so: tests/plugins/naughty.c plugins/warm_plugin.h
	@mkdir -p $(@D)
	$(AS_PLUGIN) -DNAME='"aged"' -DVERSION=2
$(T)/holder: tests/plugins/holder.c $(BUILD)/libwarm.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MF $@.d -o $@ $< $(BUILD)/libwarm.a

.PHONY: tests test test-unit test-victims test-victims-disk test-e2e test-runtimes lint lint-deep format
tests: all $(UNITS) $(VICTIMS) $(E2E) $(TEST_PLUGINS) ## build the tests without running them

test: tests ## run every test; the last line is the total
	@$(TESTENV) $(PYTHON) tests/run.py lint unit victims e2e

test-unit: $(UNITS) $(BUILD)/libwarm.so $(TEST_PLUGINS) ## run the unit tests (no root, seconds)
	@$(TESTENV) $(PYTHON) tests/run.py unit

test-victims: all $(VICTIMS) ## take each kernel object through a snapshot (V="name name" for some)
	@$(TESTENV) $(PYTHON) tests/victims/run.py $(V)

test-victims-disk: all $(VICTIMS) ## the same, each clone from disk without a template
	@$(TESTENV) $(PYTHON) tests/victims/run.py --disk $(V)

test-e2e: all $(E2E) $(TEST_PLUGINS) ## run the end-to-end tests (V=test_file.Class.test for some)
	@$(TESTENV) $(PYTHON) tests/e2e/run.py $(V)

test-runtimes: all ## real programs of each runtime, 200 launches each; installs them first (V=test_file.Class.test for some)
	@sh tests/runtimes/deps.sh $(BUILD)/runtimes
	@$(MAKE) -s all
	@sh tests/runtimes/versions.sh $(BUILD)/runtimes
	@$(TESTENV) $(PYTHON) tests/e2e/run.py --in tests/runtimes $(V)

lint: all $(BUILD)/restorer.elf ## layers, include cycles, doors, freestanding programs, format
	@$(TESTENV) $(PYTHON) tests/lint/run.py

lint-deep: $(GEN_H) ## clang-tidy and cppcheck over all C (a few minutes)
	@$(TESTENV) $(PYTHON) tests/lint/deep.py

format: ## bring all C into the one format
	clang-format -i $$($(PYTHON) tests/lint/sources.py)
