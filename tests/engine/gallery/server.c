/* The one program of the gallery's images: a small web server that does everything right, but for the
 * flaw that a word on its command line names. The words: FLAWS below, "name" or "name=value".
 *
 *   /server [words]            serve
 *   /server health PORT        exit 0 when the server there is well: for HEALTHCHECK
 *   /server yes                exit 0: a health check that does not look
 *   /server remove PATH        for RUN: there is no shell in these images
 *   /server grow PATH BYTES    a sparse file
 *   sh -c WORDS                by that name it is a shell that starts WORDS, and stays
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST 256       /* connections at a time */
#define HEAD 4096      /* bytes of a request's head */
#define PATIENCE 3000  /* ms for requests in flight when it has to stop */

struct connection { int fd; size_t used; char head[HEAD]; };

static struct connection open_ones[MOST];
static int open_count, served, fainting;
static volatile sig_atomic_t stopping;
static char **words;
static long long faints_at;

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* The value of a word, "" when it has none; NULL when it was not given. */
static const char *word(const char *name) {
    size_t length = strlen(name);
    for (char **each = words; *each; each++)
        if (!strncmp(*each, name, length) && (!(*each)[length] || (*each)[length] == '='))
            return (*each)[length] ? *each + length + 1 : "";
    return NULL;
}

static int number(const char *name, int otherwise) {
    const char *value = word(name);
    return value && *value ? atoi(value) : otherwise;
}

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static struct sockaddr_in address(const char *host, int port) {
    struct sockaddr_in a;
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    a.sin_addr.s_addr = inet_addr(host);
    return a;
}

static int listener(const char *host, int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in a = address(host, port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 512)) fail("listen");
    return fd;
}

static int ask_health(int port) {
    char answer[64] = "";
    const char *request = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct sockaddr_in a = address("127.0.0.1", port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a)) fail("health");
    if (write(fd, request, strlen(request)) < 0 || read(fd, answer, sizeof answer - 1) <= 0) fail("health");
    return strncmp(answer, "HTTP/1.1 200", 12) != 0;
}

static int grow(const char *path, const char *bytes) {
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    return fd < 0 || ftruncate(fd, atoll(bytes)) != 0;
}

static void on_stop(int signal) { (void)signal; stopping = 1; }

static void on_child(int signal) {
    (void)signal;
    int kept = errno;
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
    errno = kept;
}

static void handle(int signal, void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigaction(signal, &action, NULL);
}

/* What flaws do with every request. */
static void misbehave(const char *path) {
    const char *file = word("writes");
    if (word("children") || word("zombies"))
        if (fork() == 0) _exit(0);
    if (file) {
        int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (fd >= 0) dprintf(fd, "%s\n", path);
        if (fd >= 0) close(fd);
    }
    if (word("faints") && !fainting) fainting = 1, faints_at = now() + number("faints", 0);
    if (word("mortal") && ++served > number("mortal", 0)) abort();
}

static int status(const char *path) {
    if (word("narrow")) usleep(40000); /* so that the others come meanwhile */
    if (word("narrow") && open_count > number("narrow", 0)) return 503;
    if (!strcmp(path, "/health")) return word("sick") ? 503 : 200;
    if (!strcmp(path, "/")) return word("pageless") ? 500 : 200;
    return 404;
}

static void say(struct connection *one) {
    char body[512], path[256] = "";
    const char *version = getenv("VERSION"), *commit = getenv("COMMIT");
    sscanf(one->head, "%*15s %255s", path);
    misbehave(path);
    int code = status(path);
    snprintf(body, sizeof body, "{\"status\":\"%s\",\"version\":\"%s\",\"commit\":\"%s\"%s}\n",
             code == 200 ? "ok" : "no", version ? version : "", commit ? commit : "",
             word("arch") ? ",\"arch\":\"vax\"" : "");
    dprintf(one->fd, "HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
            "Connection: close\r\n\r\n%s", code, strlen(body), body);
    printf("%s %d\n", path, code);
}

static void forget(int which) {
    close(open_ones[which].fd);
    open_ones[which] = open_ones[--open_count];
}

/* Takes what has come; answers and forgets the connection when the head is whole. */
static void serve(int which) {
    struct connection *one = &open_ones[which];
    ssize_t got = read(one->fd, one->head + one->used, HEAD - 1 - one->used);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got > 0) {
        one->used += got;
        one->head[one->used] = 0;
        if (!strstr(one->head, "\r\n\r\n") && one->used < HEAD - 1) return;
        say(one);
    }
    forget(which);
}

static void take(int listening) {
    while (open_count < MOST) {
        int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        open_ones[open_count].fd = fd;
        open_ones[open_count].head[0] = 0;
        open_ones[open_count++].used = 0;
    }
}

/* One turn; listening is -1 when nobody new is let in. */
static void turn(int listening) {
    struct pollfd watched[MOST + 1];
    int count = open_count;
    for (int i = 0; i < count; i++) watched[i] = (struct pollfd){open_ones[i].fd, POLLIN, 0};
    watched[count] = (struct pollfd){listening, POLLIN, 0};
    if (poll(watched, count + 1, 50) <= 0) return;
    /* From the end: forgetting one moves the last into its place. */
    for (int i = count - 1; i >= 0; i--)
        if (watched[i].revents) serve(i);
    if (watched[count].revents) take(listening);
}

/* Answers those who are connected, and ends. */
static int finish(int listening) {
    long long until = now() + PATIENCE;
    if (word("drops")) return 0;
    take(listening);
    close(listening);
    while (open_count && now() < until) turn(-1);
    return word("dirty") ? 3 : 0;
}

static void become(int uid) {
    usleep(1000 * number("after", 0));
    if (setgid(uid) || setuid(uid)) {
        if (!word("anyway")) fail("become");
        perror("become");
    }
}

static void prepare(void) {
    const char *log = word("silent") ? "/dev/null" : word("log");
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (log) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (fd < 0) fd = open("/dev/null", O_WRONLY);
        dup2(fd, 1), dup2(fd, 2);
    }
    if (word("become")) become(number("become", 0));
    if (word("hungry")) memset(malloc((size_t)number("hungry", 1) << 20), 1, (size_t)number("hungry", 1) << 20);
    usleep(1000 * number("late", 0));
    handle(SIGTERM, word("deaf") ? SIG_IGN : on_stop);
    handle(SIGINT, on_stop);
    handle(SIGPIPE, SIG_IGN);
    if (!word("zombies")) handle(SIGCHLD, on_child);
}

static int run(void) {
    prepare();
    if (word("exits")) return number("exits", 0);
    int port = number("port", 8080);
    int listening = word("mute") ? -1 : listener(word("loopback") ? "127.0.0.1" : "0.0.0.0", port);
    if (word("second")) listener("0.0.0.0", number("second", 9090));
    printf("listening on %d\n", port);
    while (!stopping) {
        turn(listening);
        if (fainting && now() > faints_at) return 1;
    }
    return finish(listening);
}

static pid_t started;

static void pass_on(int signal) { kill(started, signal); }

/* As a shell with more to do afterwards: it waits. Unlike a real one it passes the signal on. */
static int shell(char *line) {
    char *arguments[32] = {0};
    int count = 0, ended = 0;
    for (char *each = strtok(line, " "); each && count < 31; each = strtok(NULL, " ")) arguments[count++] = each;
    started = fork();
    if (started == 0) {
        execv(arguments[0], arguments);
        _exit(127);
    }
    handle(SIGTERM, pass_on);
    while (waitpid(started, &ended, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
}

int main(int count, char **arguments) {
    const char *name = strrchr(arguments[0], '/') ? strrchr(arguments[0], '/') + 1 : arguments[0];
    words = arguments + 1;
    if (count == 3 && !strcmp(name, "sh") && !strcmp(words[0], "-c")) return shell(words[1]);
    if (count == 2 && !strcmp(words[0], "yes")) return 0;
    if (count == 3 && !strcmp(words[0], "health")) return ask_health(atoi(words[1]));
    if (count == 3 && !strcmp(words[0], "remove")) return unlink(words[1]) != 0;
    if (count == 4 && !strcmp(words[0], "grow")) return grow(words[1], words[2]);
    return run();
}
