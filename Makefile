# What people type. Meson does the work; this file only knows the folders.
#
#   make run                            build, then the main job on a sample: a demo
#   make run SOURCE=URL DEST=duckdb:F   build, then copy your own (ARGS="--tables 'shop.*'" for more options)
#   make test                           everything that is tested in every change; needs real servers, fetches them
#   make                                a build for work on the code; CONTRIBUTING.md has the other targets

MESON ?= meson
PREFIX ?= /usr/local
T ?= 60
RELEASE = build/release/tailrace
FORMAT_FILES = $$(git ls-files -co --exclude-standard '*.[ch]' | grep -vE '_data\.c$$|\.auto\.c$$')
FRIENDLY = f-mysql97 f-mariadb105 f-mariadb1011 f-mariadb118

.PHONY: build release run unit test test-long flow crash fuzz bench check lint tidy asan tsan cover docs docs-check \
	format install clean

build: build/debug/build.ninja
	@$(MESON) compile -C build/debug

build/debug/build.ninja:
	$(MESON) setup build/debug --buildtype=debugoptimized -Dwerror=true -Dfault_points=true

# --- for users ---------------------------------------------------------------------------

release:
	@tools/setup run
	@tools/get-duckdb
	@[ -f build/release/build.ninja ] || $(MESON) setup build/release --buildtype=release -Dtests=false
	@ninja -C build/release --quiet tailrace

# The password: TAILRACE_SOURCE_PASSWORD, or a prompt.
run: release
ifdef SOURCE
	@[ -n "$(DEST)" ] || { echo "make run SOURCE=... also needs DEST=duckdb:FILE" >&2; exit 2; }
	@$(RELEASE) sync '$(SOURCE)' '$(DEST)' $(ARGS)
else
	@tools/demo $(RELEASE)
endif

# Below $(DESTDIR)$(PREFIX): the program, libduckdb beside it, manual page, bash completion.
install: release
	install -D -m 755 $(RELEASE) $(DESTDIR)$(PREFIX)/bin/tailrace
	install -D -m 644 third_party/duckdb/libduckdb.so $(DESTDIR)$(PREFIX)/lib/tailrace/libduckdb.so
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(RELEASE) help --manual >$(DESTDIR)$(PREFIX)/share/man/man1/tailrace.1
	$(RELEASE) help --completion >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/tailrace

# --- tests ----------------------------------------------------------------------------------

test:
	@tools/run-tests

# Hours. The short forms with more of everything, and all of it under sanitizers and valgrind.
test-long:
	@tools/run-tests --long

unit: build
	@$(MESON) test -C build/debug --suite unit --print-errorlogs

# Suites alone: servers are started, and stopped at the end.
flow:
	@tools/run-tests --only flow,flow-log

crash:
	@tools/run-tests --only crash

# Each target for T seconds.
fuzz:
	@tools/run-tests --only fuzz --fuzz-seconds $(T)

bench: release
	@tools/setup bench
	@bench/run $(ARGS)

# --- rules ----------------------------------------------------------------------------------

# Rules that are scripts: format, layers, sizes, words, headers; seconds.
lint:
	@tools/check-layers
	@tools/check-size
	@tools/check-words
	@tools/check-headers
	@clang-format --dry-run --Werror $(FORMAT_FILES)

# clang-tidy on a Clang build folder, since GCC-only flags upset it.
tidy:
	@[ -f build/clang/build.ninja ] || CC=clang $(MESON) setup build/clang --buildtype=debug -Dfault_points=true
	@ninja -C build/clang --quiet src/source/source_sql.c src/state/state_migrations.c >/dev/null 2>&1 || true
	@run-clang-tidy -quiet -p build/clang '^$(CURDIR)/src/.*\.c$$' >build/clang/tidy.log 2>&1 || \
		{ grep -E 'error:|warning:' build/clang/tidy.log | sort -u; false; }

check: lint tidy docs-check

# build/asan: the address and undefined-behaviour sanitizers
asan:
	@[ -f build/asan/build.ninja ] || $(MESON) setup build/asan --buildtype=debug -Dwerror=true \
		-Dfault_points=true -Db_sanitize=address,undefined -Db_lundef=false
	@$(MESON) compile -C build/asan
	@UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		$(MESON) test -C build/asan --suite unit --print-errorlogs -t 5

# build/tsan: the thread sanitizer; libduckdb is not built for it, so tests that load it are left out
tsan:
	@[ -f build/tsan/build.ninja ] || $(MESON) setup build/tsan --buildtype=debug -Dwerror=true \
		-Dfault_points=true -Db_sanitize=thread -Db_lundef=false
	@$(MESON) compile -C build/tsan
	@$(MESON) test -C build/tsan --suite unit --no-suite duckdb --print-errorlogs -t 5

# build/cover: which lines the unit tests run, against tools/coverage-floors.txt
cover:
	@[ -f build/cover/build.ninja ] || $(MESON) setup build/cover --buildtype=debug \
		-Dfault_points=true -Db_coverage=true
	@$(MESON) compile -C build/cover
	@$(MESON) test -C build/cover --suite unit --print-errorlogs
	@tools/check-cover build/cover

# docs/reference/: from the program, and types.md from what the type tests see on real servers.
docs: build
	@tools/make-docs build/debug/tailrace
	@TAILRACE_WRITE_DOCS=1 tools/run-tests --only build,types

docs-check: build
	@tools/make-docs --check build/debug/tailrace

format:
	@clang-format -i $(FORMAT_FILES)

clean:
	rm -rf build
