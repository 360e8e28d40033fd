# SPDX-License-Identifier: MIT
# Warm. `make help` lists the targets.

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
SAN     ?=
VERSION := 0.1.0
CC      := gcc

PKGS    := libprotobuf-c liblz4 libcap libseccomp sqlite3
WARNS   := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla
CPPFLAGS += -D_GNU_SOURCE -I. -I$(BUILD)/gen -DWARM_VERSION='"$(VERSION)"' -MMD -MP
CFLAGS  ?= -O2 -g
override CFLAGS += -std=gnu11 $(WARNS) -fno-strict-aliasing
ifneq ($(SAN),)
BUILD   := build/san
HOSTED  := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

# Code that runs before or without libc: no stack protector, no calls that the compiler invents, no PIC tables.
FREE    := -ffreestanding -fno-stack-protector -fno-tree-loop-distribute-patterns -fno-asynchronous-unwind-tables \
           -fcf-protection=none -fno-pic -fno-pie -mno-avx -fno-builtin

objs     = $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard $(addsuffix /*.c,$(1)))))
protos  := $(sort $(wildcard proto/*.proto))
GEN_H   := $(patsubst proto/%.proto,$(BUILD)/gen/proto/%.pb-c.h,$(protos))
GEN_O   := $(patsubst proto/%.proto,$(BUILD)/obj/gen/%.pb-c.o,$(protos))

BASE    := $(call objs,base) $(GEN_O) $(call objs,proto)
PROGRAMS := warm warmd warm-spawn warm-snap warm-restore warm-store warm-opened warm-pager warm-init
PLUGINS := $(notdir $(patsubst %/,%,$(sort $(dir $(wildcard plugins/*/*.c)))))
LIBS    := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

.PHONY: all
all: $(addprefix $(BUILD)/,$(PROGRAMS)) $(BUILD)/libwarm.so $(BUILD)/libwarm.a $(BUILD)/warm-python.so $(BUILD)/warm-python-renew.so $(BUILD)/warm.pc $(BUILD)/env $(BUILD)/python/warm node java \
     $(patsubst %,$(BUILD)/plugins/%.so,$(PLUGINS))

# ---- generated code ---------------------------------------------------------------------------------------------

$(BUILD)/gen/proto/%.pb-c.c $(BUILD)/gen/proto/%.pb-c.h &: proto/%.proto
	@mkdir -p $(BUILD)/gen/proto
	protoc-c --c_out=$(BUILD)/gen $<

$(BUILD)/obj/gen/%.pb-c.o: $(BUILD)/gen/proto/%.pb-c.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(HOSTED) -c -o $@ $<

.SECONDARY:

# ---- objects ----------------------------------------------------------------------------------------------------

$(BUILD)/obj/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(HOSTED) -c -o $@ $<

# sdk/cli/hot is what serves a hot `exec`; restore/restorer and restore/init run without any libc.
$(BUILD)/obj/sdk/cli/hot/%.o $(BUILD)/obj/restore/init/%.o: HOSTED := $(FREE)
$(BUILD)/obj/sdk/cli/%.o $(BUILD)/obj/warmd/spawn/%.o: HOSTED :=
# libwarm is loaded into programs that know nothing of sanitizers.
$(BUILD)/pic/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -fvisibility=hidden -c -o $@ $<

# ---- programs ---------------------------------------------------------------------------------------------------

# Static programs take protobuf and base objects built without sanitizers.
$(BUILD)/plain/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
$(BUILD)/plain/gen/%.pb-c.o: $(BUILD)/gen/proto/%.pb-c.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
PLAIN_BASE := $(patsubst $(BUILD)/obj/%,$(BUILD)/plain/%,$(BASE))

$(BUILD)/warm: $(call objs,sdk/cli/hot sdk/cli) $(PLAIN_BASE) $(wildcard sdk/cli/hot/*.S)
	$(CC) -static -no-pie -Wl,-e,warm_start -Wl,-z,noseparate-code -o $@ $(filter %.o %.S,$^) -lprotobuf-c

$(BUILD)/warm-spawn: $(call objs,warmd/spawn)
	$(CC) -static -o $@ $^

$(BUILD)/warmd: $(call objs,warmd policy cache) $(BASE)
	$(CC) $(HOSTED) -o $@ $^ $(LIBS) -lev

$(BUILD)/warm-opened: $(call objs,warmd/opened) $(patsubst %,$(BUILD)/obj/%.o,warmd/confine warmd/files policy/file) $(BASE)
	$(CC) $(HOSTED) -o $@ $^ -lprotobuf-c -lseccomp -lcap

# What reads images.
PACK := $(patsubst %,$(BUILD)/obj/cache/%.o,pack pack_order pack_crew)

$(BUILD)/warm-snap: $(call objs,snapshot plugins) $(PACK) $(BASE)
	$(CC) $(HOSTED) -o $@ $^ -lprotobuf-c -llz4 -lpthread

$(BUILD)/warm-store: $(call objs,cache cache/worker) $(BASE)
	$(CC) $(HOSTED) -o $@ $^ -lprotobuf-c -llz4 -lsqlite3

$(BUILD)/warm-restore: $(call objs,restore plugins) $(PACK) $(BUILD)/obj/restorer_blob.o $(BASE)
	$(CC) $(HOSTED) -o $@ $^ -lprotobuf-c -llz4 -lpthread

$(BUILD)/warm-pager: $(call objs,pager) $(BUILD)/obj/warmd/confine.o $(PACK) $(BASE)
	$(CC) $(HOSTED) -o $@ $^ -lprotobuf-c -llz4 -lpthread -lseccomp -lcap

$(BUILD)/warm-init: $(call objs,restore/init)
	$(CC) -static -nostdlib -no-pie -Wl,-e,init_start -Wl,-z,noseparate-code -Wl,--build-id=none -o $@ $^

# Plugins: one folder each; of Warm they know plugins/warm_plugin.h only.
define plugin_rule
$(BUILD)/plugins/$(1).so: $(wildcard plugins/$(1)/*.c)
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) $$(CFLAGS) -fPIC -shared -Wl,-z,defs -MF $$@.d -o $$@ $$(filter %.c,$$^)
endef
$(foreach name,$(PLUGINS),$(eval $(call plugin_rule,$(name))))

# The restorer: position-independent, one section, no relocation. tests/lint checks the result.
$(BUILD)/restorer/%.o: restore/restorer/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -O2 -g -std=gnu11 $(WARNS) $(filter-out -fno-pic -fno-pie,$(FREE)) -fPIE -fvisibility=hidden \
	  -mgeneral-regs-only -c -o $@ $<
$(BUILD)/restorer.elf: $(patsubst restore/restorer/%.c,$(BUILD)/restorer/%.o,$(wildcard restore/restorer/*.c)) restore/restorer/restorer.ld
	ld -nostdlib -static --no-undefined -T restore/restorer/restorer.ld -o $@ $(filter %.o,$^)
$(BUILD)/restorer.bin: $(BUILD)/restorer.elf
	objcopy -O binary $< $@
$(BUILD)/obj/restorer_blob.o: $(BUILD)/restorer.bin
	@mkdir -p $(@D)
	cd $(BUILD) && ld -r -b binary -z noexecstack -o obj/restorer_blob.o restorer.bin

# ---- SDK --------------------------------------------------------------------------------------------------------

SDK_PIC := $(patsubst %.c,$(BUILD)/pic/%.o,$(wildcard sdk/c/*.c))
$(BUILD)/libwarm.so: $(SDK_PIC)
	$(CC) -shared -Wl,-soname,libwarm.so.0 -Wl,-z,defs -o $@ $^
	ln -sf libwarm.so $(BUILD)/libwarm.so.0
$(BUILD)/libwarm.a: $(SDK_PIC)
	ar rcs $@ $^

# Loaded into interpreters that `warm exec` starts, to stop them before their program: libc, and nothing else of ours.
STOP_PY := sdk/prewarm/stop.head.py $(addprefix sdk/python/warm/,_wire.py _depends.py _process.py) sdk/prewarm/stop.tail.py
$(BUILD)/pic/stop.o: $(STOP_PY)
	@mkdir -p $(@D)
	cat $(STOP_PY) > $(@D)/stop.py
	cd $(@D) && ld -r -b binary -z noexecstack -o stop.o stop.py
$(BUILD)/warm-python.so: $(patsubst %.c,$(BUILD)/pic/%.o,$(wildcard sdk/prewarm/*.c) sdk/c/ask.c sdk/c/connect.c sdk/c/wire.c \
                         policy/python.c base/fd.c base/proc.c) $(BUILD)/pic/stop.o
	$(CC) -shared -Wl,-soname,warm-python.so -Wl,-z,defs -o $@ $^
# Loaded into a Python whose program does not call the hook: its generators of random numbers seed themselves anew in a copy.
$(BUILD)/warm-python-renew.so: $(patsubst %.c,$(BUILD)/pic/%.o,$(wildcard sdk/prewarm/renew/*.c) sdk/prewarm/process.c sdk/prewarm/symbols.c \
                               base/fd.c base/proc.c)
	$(CC) -shared -Wl,-soname,warm-python-renew.so -Wl,-z,defs -o $@ $^

$(BUILD)/warm.pc: sdk/c/warm.pc.in Makefile
	@mkdir -p $(@D)
	sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' $< > $@
	sed -e 's|^libdir=.*|libdir=$(abspath $(BUILD))|' -e 's|^includedir=.*|includedir=$(abspath sdk/c)|' $@ > $(BUILD)/warm-uninstalled.pc
$(BUILD)/python/warm: $(wildcard sdk/python/warm/*.py)
	@mkdir -p $@
	cp $^ $@/
	@touch $@

# The package for Node is built where there is a node with its headers: node_api.h and uv.h lie beside each other, or in /usr/include.
NODE         ?= $(shell command -v node)
NODE_INCLUDE ?= $(patsubst %/node_api.h,%,$(firstword $(wildcard $(addsuffix /include/node/node_api.h,$(if $(NODE),$(dir $(realpath $(NODE)))..) /usr))))
NODE_FILES   := $(patsubst sdk/node/%,$(BUILD)/node/warm/%,$(wildcard sdk/node/*.js sdk/node/*.mjs sdk/node/*.ts sdk/node/*.json sdk/node/lib/*.js))
NODE_OBJS    := $(patsubst %.c,$(BUILD)/pic/%.o,$(wildcard sdk/node/*.c) $(filter-out sdk/c/hook.c,$(wildcard sdk/c/*.c)))
# Loaded into a node that `warm exec` starts, to stop it before its program.
STOP_JS      := $(addprefix $(BUILD)/warm-node/,stop.cjs renew.cjs entry.js stop.js renew.js inside.js loaded.js package.json)
STOP_LIB     := $(addprefix $(BUILD)/warm-node/lib/,depends.js inspector.js random.js timers.js)
STOP_OBJS    := $(patsubst %.c,$(BUILD)/pic/%.o,$(wildcard sdk/node/stop/*.c) $(addprefix sdk/node/,calls.c random.c streams.c values.c) \
                sdk/c/ask.c sdk/c/connect.c sdk/c/launch.c sdk/c/wire.c sdk/prewarm/process.c policy/node.c base/fd.c base/proc.c)
.PHONY: node
ifneq ($(NODE_INCLUDE),)
node: $(NODE_FILES) $(BUILD)/node/warm/warm.node $(STOP_JS) $(STOP_LIB) $(BUILD)/warm-node/warm-stop.node
else
node:
	@echo "no node with headers (node_api.h) here: its package is not built" >&2
endif
$(BUILD)/node/warm/%: sdk/node/%
	@mkdir -p $(@D)
	cp $< $@
$(BUILD)/pic/sdk/node/%.o: CPPFLAGS += -isystem $(NODE_INCLUDE)
$(BUILD)/node/warm/warm.node: $(NODE_OBJS)
	@mkdir -p $(@D)
	$(CC) -shared -o $@ $^
$(STOP_JS): $(BUILD)/warm-node/%: sdk/node/stop/%
	@mkdir -p $(@D)
	cp $< $@
$(STOP_LIB): $(BUILD)/warm-node/lib/%: sdk/node/lib/%
	@mkdir -p $(@D)
	cp $< $@
# What is missing is found when it is loaded, not by a copy.
$(BUILD)/warm-node/warm-stop.node: $(STOP_OBJS)
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-z,now -o $@ $^

# The SDK for Java is built where there is a JDK (17 or newer). One archive: a copy opens and watches one file. build/java itself is
# the class path of build/env, and holds the classes.
JAVAC     ?= $(realpath $(firstword $(shell command -v javac) $(wildcard /usr/lib/jvm/*/bin/javac)))
JDK        = $(patsubst %/bin/javac,%,$(JAVAC))
JAVA_OBJS := $(patsubst %.c,$(BUILD)/pic/%.o,$(wildcard sdk/java/*.c) $(filter-out sdk/c/hook.c,$(wildcard sdk/c/*.c)))
.PHONY: java
ifneq ($(JAVAC),)
java: $(BUILD)/java/warm.jar $(BUILD)/libwarmjava.so $(BUILD)/warm-java.so $(BUILD)/warm-java-collect.so
else
java:
	@echo "no JDK (javac) here: the SDK for Java is not built" >&2
endif
$(BUILD)/java/warm.jar: $(shell find sdk/java -name '*.java')
	@rm -rf $(@D)
	@mkdir -p $(@D)
	$(JAVAC) --release 17 -Xlint:all -Werror -h $(BUILD)/gen/java -d $(@D) $^
	cd $(@D) && $(JDK)/bin/jar --create --file warm.jar org warm
$(patsubst %.c,$(BUILD)/pic/%.o,$(wildcard sdk/java/*.c sdk/java/stop/*.c)): $(BUILD)/java/warm.jar
$(BUILD)/pic/sdk/java/%.o: CPPFLAGS += -I$(BUILD)/gen/java -isystem $(JDK)/include -isystem $(JDK)/include/linux
$(BUILD)/libwarmjava.so: $(JAVA_OBJS)
	$(CC) -shared -Wl,-z,defs -o $@ $^
# Loaded into a Java launcher that `warm exec` starts, to stop it before its program. It brings its classes along.
STOP_CLASSES := $(addprefix $(BUILD)/java/warm/,WorkingDirectory.class Native.class Generators.class Dependencies.class Stop.class)
$(BUILD)/pic/stop.classes.o: $(BUILD)/java/warm.jar
	@mkdir -p $(@D)
	for file in $(STOP_CLASSES); do printf %08x $$(stat -c %s $$file); cat $$file; done > $(@D)/stop.classes
	cd $(@D) && ld -r -b binary -z noexecstack -o $(@F) stop.classes
$(BUILD)/warm-java.so: $(patsubst %.c,$(BUILD)/pic/%.o,$(filter-out %/collect.c %/seeds.c,$(wildcard sdk/java/stop/*.c)) sdk/java/jni_text.c sdk/java/machine.c \
                       sdk/prewarm/process.c sdk/prewarm/symbols.c sdk/c/ask.c sdk/c/connect.c sdk/c/launch.c sdk/c/wire.c \
                       policy/java.c base/fd.c base/proc.c) $(BUILD)/pic/stop.classes.o
	$(CC) -shared -Wl,-soname,warm-java.so -Wl,-z,defs -o $@ $^
# Loaded into a Java launcher whose program does not call the hook, to collect its garbage before the freeze.
$(BUILD)/warm-java-collect.so: $(patsubst %.c,$(BUILD)/pic/%.o,sdk/java/stop/collect.c sdk/java/stop/seeds.c sdk/java/stop/launcher.c \
                               sdk/java/jni_text.c sdk/java/machine.c sdk/prewarm/process.c \
                               sdk/prewarm/symbols.c base/fd.c base/proc.c)
	$(CC) -shared -Wl,-soname,warm-java-collect.so -Wl,-z,defs -o $@ $^
$(BUILD)/env: Makefile
	@mkdir -p $(@D)
	@printf '%s\n' '# . build/env: use what was just built' \
	  'WARM_BUILD=$(abspath $(BUILD))' \
	  'export PATH="$$WARM_BUILD:$$PATH" LD_LIBRARY_PATH="$$WARM_BUILD$${LD_LIBRARY_PATH:+:$$LD_LIBRARY_PATH}"' \
	  'export PYTHONPATH="$$WARM_BUILD/python$${PYTHONPATH:+:$$PYTHONPATH}"' \
	  'export CLASSPATH="$$WARM_BUILD/java$${CLASSPATH:+:$$CLASSPATH}" NODE_PATH="$$WARM_BUILD/node$${NODE_PATH:+:$$NODE_PATH}"' \
	  'export PKG_CONFIG_PATH="$$WARM_BUILD$${PKG_CONFIG_PATH:+:$$PKG_CONFIG_PATH}"' > $@

# ---- tests ------------------------------------------------------------------------------------------------------

include tests/tests.mk
include bench/bench.mk

# ---- housekeeping -----------------------------------------------------------------------------------------------

.PHONY: deps
deps: ## install what building, testing and the demo need (Debian packages)
	sh tools/deps.sh

.PHONY: demo
demo: ## install what is missing, build, and launch a Django application in about a millisecond
	@sh tools/deps.sh --quiet
	@$(MAKE) --no-print-directory -s -j2 all
	@python3=/usr/bin/python3; . $(BUILD)/env && exec $$python3 bench/demo.py

# Where Debian's Python looks: /usr/lib/python3, but /usr/local/lib/python3.11.
PY_FOLDER = $(if $(filter /usr,$(PREFIX)),python3,$(shell /usr/bin/python3 -c 'import sys; print("python%d.%d" % sys.version_info[:2])'))
PY_DIR   ?= $(PREFIX)/lib/$(PY_FOLDER)/dist-packages
# Where npm puts packages for everybody.
NODE_DIR ?= $(PREFIX)/lib/node_modules

.PHONY: install
install: all ## install below $(DESTDIR)$(PREFIX)
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin sbin libexec/warm lib/pkgconfig lib/warm/plugins include share/doc/warm) $(DESTDIR)$(PY_DIR)/warm
	install -m 755 $(BUILD)/warm $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(BUILD)/warmd $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(addprefix $(BUILD)/,warm-spawn warm-snap warm-restore warm-store warm-opened warm-pager warm-init) $(DESTDIR)$(PREFIX)/libexec/warm/
	install -m 755 $(BUILD)/warm-python.so $(BUILD)/warm-python-renew.so $(DESTDIR)$(PREFIX)/libexec/warm/
	install -m 755 $(BUILD)/libwarm.so $(DESTDIR)$(PREFIX)/lib/libwarm.so.0
	ln -sf libwarm.so.0 $(DESTDIR)$(PREFIX)/lib/libwarm.so
	install -m 644 $(BUILD)/libwarm.a $(DESTDIR)$(PREFIX)/lib/
	sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' sdk/c/warm.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/warm.pc
	install -m 644 $(patsubst %,$(BUILD)/plugins/%.so,$(PLUGINS)) $(DESTDIR)$(PREFIX)/lib/warm/plugins/
	install -m 644 sdk/c/warm.h plugins/warm_plugin.h $(DESTDIR)$(PREFIX)/include/
	install -m 644 sdk/python/warm/*.py $(DESTDIR)$(PY_DIR)/warm/
ifneq ($(NODE_INCLUDE),)
	install -d $(DESTDIR)$(NODE_DIR)/warm/lib
	install -m 644 sdk/node/*.js sdk/node/*.mjs sdk/node/*.ts sdk/node/package.json $(BUILD)/node/warm/warm.node $(DESTDIR)$(NODE_DIR)/warm/
	install -m 644 sdk/node/lib/*.js $(DESTDIR)$(NODE_DIR)/warm/lib/
	install -d $(DESTDIR)$(PREFIX)/libexec/warm/warm-node/lib
	install -m 644 $(STOP_JS) $(BUILD)/warm-node/warm-stop.node $(DESTDIR)$(PREFIX)/libexec/warm/warm-node/
	install -m 644 $(STOP_LIB) $(DESTDIR)$(PREFIX)/libexec/warm/warm-node/lib/
endif
ifneq ($(JAVAC),)
	install -d $(DESTDIR)$(PREFIX)/share/java
	install -m 644 $(BUILD)/java/warm.jar $(DESTDIR)$(PREFIX)/share/java/
	install -m 755 $(BUILD)/libwarmjava.so $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(BUILD)/warm-java.so $(BUILD)/warm-java-collect.so $(DESTDIR)$(PREFIX)/libexec/warm/
endif
	install -m 644 README.md LICENSE docs/*.md $(DESTDIR)$(PREFIX)/share/doc/warm/
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

.PHONY: clean
clean: ## remove everything that was built
	rm -rf build

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile tests/tests.mk bench/bench.mk | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24
	@echo '  make SAN=address,undefined test-unit: the unit tests under sanitizers (in build/san)'

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
