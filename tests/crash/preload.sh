# preload.sh: for tests written in shell: . "$top_srcdir/tests/crash/preload.sh"
#
#   with_faults PROGRAM [ARGUMENT...]
#                              runs it with crash.so in front; the knobs of README.md come from the environment
#   calls_in REPORT            how many calls a report lists
#
# What it runs is the program itself, so a status of 137 is its own SIGKILL.

crash_so=$top_builddir/tests/crash/crash.so

# AddressSanitizer wants to be the first, also of what is preloaded; PROGRAM is asked once
with_faults_of=
with_faults() {
    if [ "$with_faults_of" != "$1" ]; then
        sanitizer=$(ldd "$1" 2>/dev/null | awk '$1 ~ /^lib[acltu]*san\.so/ { print $3 }' | head -n 1)
        with_faults_of=$1
    fi
    LD_PRELOAD="${sanitizer:+$sanitizer }$crash_so" "$@"
}

calls_in() {
    awk 'END { print NR }' "$1"
}
