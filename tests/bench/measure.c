/*
 * measure: runs a command and says what it took.
 *
 *     measure [--runs N] [--output FILE] COMMAND [ARGUMENT …]
 *
 * The command reads nothing (its input is /dev/null) and its output goes to /dev/null, or to FILE. For each run one
 * line is printed: wall, user and system time in nanoseconds, peak memory in KiB. Ends with the status of the
 * command's last run: 128 and the signal's number when a signal ended it, 127 when it could not be started.
 * It allocates nothing and is small, so that the peak it reports is the command's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_nsec(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t in_nsec(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
}

static void run_command(char **command, const char *output)
{
    int in = open("/dev/null", O_RDONLY);
    int out = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (in < 0 || out < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0) {
        perror(output);
        _exit(127);
    }
    close(in);
    close(out);
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
}

int main(int argc, char **argv)
{
    const char *output = "/dev/null";
    unsigned long runs = 1;
    int first = 1, status = 0;

    while (first + 1 < argc && argv[first][0] == '-') {
        if (strcmp(argv[first], "--runs") == 0)
            runs = strtoul(argv[first + 1], NULL, 10);
        else if (strcmp(argv[first], "--output") == 0)
            output = argv[first + 1];
        else
            break;
        first += 2;
    }
    if (first >= argc || argv[first][0] == '-' || runs == 0 || runs > 100000) {
        fputs("usage: measure [--runs N] [--output FILE] COMMAND [ARGUMENT …]\n", stderr);
        return 64;
    }
    for (unsigned long i = 0; i < runs; i++) {
        struct rusage usage;
        uint64_t start = now_nsec();
        pid_t pid = fork();
        if (pid < 0) {
            perror("measure: cannot fork");
            return 75;
        }
        if (pid == 0)
            run_command(argv + first, output);
        while (wait4(pid, &status, 0, &usage) < 0)
            if (errno != EINTR) {
                perror("measure: cannot wait");
                return 75;
            }
        printf("%llu %llu %llu %ld\n", (unsigned long long)(now_nsec() - start),
               (unsigned long long)in_nsec(usage.ru_utime), (unsigned long long)in_nsec(usage.ru_stime),
               usage.ru_maxrss);
        /* before the next fork: nothing of this may be printed twice */
        fflush(stdout);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
