# What people type. Meson does the work; this file only knows the folders.

MESON ?= meson
FORMAT_FILES = $$(git ls-files -co --exclude-standard '*.[ch]' | grep -vE '_data\.c$$|\.auto\.c$$')

.PHONY: build unit check lint tidy asan tsan cover format clean

build: build/debug/build.ninja
	@$(MESON) compile -C build/debug

build/debug/build.ninja:
	$(MESON) setup build/debug --buildtype=debugoptimized -Dwerror=true -Dfault_points=true

unit: build
	@$(MESON) test -C build/debug --suite unit --print-errorlogs

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
	@run-clang-tidy -quiet -p build/clang '/src/.*\.c$$' >build/clang/tidy.log 2>&1 || \
		{ grep -E 'error:|warning:' build/clang/tidy.log | sort -u; false; }

check: lint tidy

# build/asan: the address and undefined-behaviour sanitizers
asan:
	@[ -f build/asan/build.ninja ] || $(MESON) setup build/asan --buildtype=debug -Dwerror=true \
		-Dfault_points=true -Db_sanitize=address,undefined -Db_lundef=false
	@$(MESON) compile -C build/asan
	@UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		$(MESON) test -C build/asan --suite unit --print-errorlogs -t 5

# build/tsan: the thread sanitizer
tsan:
	@[ -f build/tsan/build.ninja ] || $(MESON) setup build/tsan --buildtype=debug -Dwerror=true \
		-Dfault_points=true -Db_sanitize=thread -Db_lundef=false
	@$(MESON) compile -C build/tsan
	@$(MESON) test -C build/tsan --suite unit --print-errorlogs -t 5

# build/cover: which lines the unit tests run, against tools/coverage-floors.txt
cover:
	@[ -f build/cover/build.ninja ] || $(MESON) setup build/cover --buildtype=debug \
		-Dfault_points=true -Db_coverage=true
	@$(MESON) compile -C build/cover
	@$(MESON) test -C build/cover --suite unit --print-errorlogs
	@tools/check-cover build/cover

format:
	@clang-format -i $(FORMAT_FILES)

clean:
	rm -rf build
