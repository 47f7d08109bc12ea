#include "standin.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Head and body of one request; bodies of our calls are small and come in one piece with a length. */
static size_t receive(int fd, char *request, size_t capacity)
{
    size_t len = 0, wanted = 0;

    while (len + 1 < capacity) {
        ssize_t got = read(fd, request + len, capacity - len - 1);
        if (got <= 0)
            break;
        len += (size_t)got;
        request[len] = '\0';
        const char *end = strstr(request, "\r\n\r\n");
        if (end == NULL)
            continue;
        const char *length = strcasestr(request, "\r\ncontent-length:");
        wanted = (size_t)(end + 4 - request) + (length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0);
        if (len >= wanted)
            break;
    }
    return len;
}

static void answer(struct standin *standin, int fd, const char *request)
{
    const struct standin_answer none = {"", 404, "text/plain", "not found"};
    char head[256];

    pthread_mutex_lock(&standin->lock);
    const struct standin_answer *row = standin->answers;
    pthread_mutex_unlock(&standin->lock);
    while (row != NULL && row->request != NULL && strncmp(request, row->request, strlen(row->request)) != 0)
        ++row;
    if (row == NULL || row->request == NULL)
        row = &none;
    if (row->status == 0) {
        sleep(4); /* longer than any deadline of a caller */
        return;
    }
    int len = snprintf(head, sizeof(head),
                       "HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                       row->status, row->type, strlen(row->body));
    if (write(fd, head, (size_t)len) < 0 || write(fd, row->body, strlen(row->body)) < 0)
        perror("standin");
}

static void *serve(void *argument)
{
    struct standin *standin = argument;
    char request[8192];
    int fd;

    while ((fd = accept(standin->fd, NULL, NULL)) >= 0) {
        size_t len = receive(fd, request, sizeof(request));
        if (len > 0) {
            pthread_mutex_lock(&standin->lock);
            size_t before = strlen(standin->heads);
            ++standin->asked;
            snprintf(standin->heads + before, sizeof(standin->heads) - before, "%s", request);
            pthread_mutex_unlock(&standin->lock);
            answer(standin, fd, request);
        }
        close(fd);
    }
    return NULL;
}

void standin_start(struct standin *standin, const char *directory)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    pthread_mutex_init(&standin->lock, NULL);
    snprintf(standin->path, sizeof(standin->path), "%s/gitea.sock", directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", standin->path);
    snprintf(standin->token_file, sizeof(standin->token_file), "%s/token", directory);
    int token = open(standin->token_file, O_WRONLY | O_CREAT, 0600);
    standin->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (token < 0 || write(token, "0123456789abcdef\n", 17) != 17 || bind(standin->fd, (void *)&address, sizeof(address)) != 0 ||
        listen(standin->fd, 8) != 0 || pthread_create(&standin->thread, NULL, serve, standin) != 0)
        abort();
    close(token);
}

void standin_stop(struct standin *standin)
{
    shutdown(standin->fd, SHUT_RDWR);
    pthread_join(standin->thread, NULL);
    close(standin->fd);
}

void standin_answers(struct standin *standin, const struct standin_answer *answers)
{
    pthread_mutex_lock(&standin->lock);
    standin->answers = answers;
    standin->asked = 0;
    standin->heads[0] = '\0';
    pthread_mutex_unlock(&standin->lock);
}

void standin_configure(struct standin *standin, struct tg_gitea_conf *conf)
{
    *conf = (struct tg_gitea_conf){
        .host = "git.example.test",
        .upstream = {.text = "unix", .path = standin->path},
        .admin_token_file = standin->token_file,
        .source = "teagate",
        .session_cookie = "i_like_gitea",
        .remember_cookie = "gitea_incredible",
    };
}
