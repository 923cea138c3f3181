/* Times cantools' generated C on the frames that the budgets program writes. One request a line on standard input, one line back:
 *   load PATH              reads frames                                   -> their number
 *   decode                 decodes all frames                             -> nanoseconds of processor time
 *   dump COUNT PATH        writes what the first frames decode to         -> ok
 *   inputs PATH            reads physical values to encode                -> the number of frames
 *   encode                 encodes them                                   -> nanoseconds of processor time
 *   payloads COUNT PATH    writes what the first ones encode to           -> ok
 * The message of a frame is given, not looked up: that is this side's advantage. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "db.h"

struct classic { uint32_t message, length; uint8_t data[8]; };
struct fd { uint32_t message, length; uint8_t data[64]; };

static double row[4096];
static uint32_t places[4096];
static uint64_t count, stride;
static struct classic *classics;
static struct fd *fds;
static uint64_t input_count;
static uint32_t *input_messages;
static double *inputs;
static uint32_t *input_lengths;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

#define PUT(place, value) out[n++] = (double)(value)
static inline __attribute__((always_inline)) int decode_one(uint32_t message, const uint8_t *data, size_t length, double *out) {
    int n = 0;
    switch (message) {
#include "decode.inc"
    default: break;
    }
    return n;
}
#undef PUT

#define PUT(place, value) (places[n] = (place), out[n++] = (double)(value))
static int dump_one(uint32_t message, const uint8_t *data, size_t length, double *out) {
    int n = 0;
    switch (message) {
#include "decode.inc"
    default: break;
    }
    return n;
}
#undef PUT

static inline __attribute__((always_inline)) void encode_one(uint32_t message, const double *in, uint8_t *out) {
    switch (message) {
#include "encode.inc"
    default: break;
    }
}

static void *allocate(size_t size) {
    void *memory = malloc(size ? size : 1);
    if (!memory) { fprintf(stderr, "out of memory\n"); exit(1); }
    return memory;
}

static void need(int fine) {
    if (!fine) { fprintf(stderr, "cannot read or write\n"); exit(1); }
}

static void load(const char *path) {
    FILE *file = fopen(path, "rb");
    need(file != NULL);
    need(fread(&count, 8, 1, file) == 1 && fread(&stride, 8, 1, file) == 1);
    free(classics); free(fds); classics = NULL; fds = NULL;
    if (stride == 8) classics = allocate(count * sizeof *classics); else fds = allocate(count * sizeof *fds);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t head[4];
        need(fread(head, 16, 1, file) == 1);
        if (stride == 8) {
            classics[i].message = head[0]; classics[i].length = head[2];
            need(fread(classics[i].data, 8, 1, file) == 1);
        } else {
            fds[i].message = head[0]; fds[i].length = head[2];
            need(fread(fds[i].data, 64, 1, file) == 1);
        }
    }
    fclose(file);
    printf("%llu\n", (unsigned long long)count);
}

static void decode(void) {
    double from = now();
    if (stride == 8) {
        for (uint64_t i = 0; i < count; i++) {
            decode_one(classics[i].message, classics[i].data, classics[i].length, row);
            __asm__ volatile("" : : "r"(row) : "memory");
        }
    } else {
        for (uint64_t i = 0; i < count; i++) {
            decode_one(fds[i].message, fds[i].data, fds[i].length, row);
            __asm__ volatile("" : : "r"(row) : "memory");
        }
    }
    printf("%.0f\n", now() - from);
}

static void dump(uint64_t most, const char *path) {
    FILE *file = fopen(path, "wb");
    need(file != NULL);
    for (uint64_t i = 0; i < count && i < most; i++) {
        int n = stride == 8 ? dump_one(classics[i].message, classics[i].data, classics[i].length, row)
                            : dump_one(fds[i].message, fds[i].data, fds[i].length, row);
        uint64_t head = (uint64_t)n;
        need(fwrite(&head, 8, 1, file) == 1);
        for (int k = 0; k < n; k++) {
            uint64_t place = places[k];
            need(fwrite(&place, 8, 1, file) == 1 && fwrite(&row[k], 8, 1, file) == 1);
        }
    }
    fclose(file);
    printf("ok\n");
}

static void read_inputs(const char *path) {
    FILE *file = fopen(path, "rb");
    need(file != NULL);
    uint64_t values;
    need(fread(&input_count, 8, 1, file) == 1 && fread(&values, 8, 1, file) == 1);
    free(input_messages); free(input_lengths); free(inputs);
    input_messages = allocate(input_count * 4);
    input_lengths = allocate(input_count * 4);
    inputs = allocate(values * 8);
    double *to = inputs;
    for (uint64_t i = 0; i < input_count; i++) {
        need(fread(&input_messages[i], 4, 1, file) == 1 && fread(&input_lengths[i], 4, 1, file) == 1);
        need(fread(to, 8, input_lengths[i], file) == input_lengths[i]);
        to += input_lengths[i];
    }
    fclose(file);
    printf("%llu\n", (unsigned long long)input_count);
}

static void encode(void) {
    uint8_t out[64];
    const double *in = inputs;
    double from = now();
    for (uint64_t i = 0; i < input_count; i++) {
        encode_one(input_messages[i], in, out);
        __asm__ volatile("" : : "r"(out) : "memory");
        in += input_lengths[i];
    }
    printf("%.0f\n", now() - from);
}

static void payloads(uint64_t most, const char *path) {
    FILE *file = fopen(path, "wb");
    need(file != NULL);
    const double *in = inputs;
    for (uint64_t i = 0; i < input_count && i < most; i++) {
        uint8_t out[64];
        memset(out, 0, sizeof out);
        encode_one(input_messages[i], in, out);
        need(fwrite(out, 64, 1, file) == 1);
        in += input_lengths[i];
    }
    fclose(file);
    printf("ok\n");
}

int main(void) {
    char line[8192], path[4096];
    unsigned long long most;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "load %4095[^\n]", path) == 1) load(path);
        else if (strcmp(line, "decode\n") == 0) decode();
        else if (sscanf(line, "dump %llu %4095[^\n]", &most, path) == 2) dump(most, path);
        else if (sscanf(line, "inputs %4095[^\n]", path) == 1) read_inputs(path);
        else if (strcmp(line, "encode\n") == 0) encode();
        else if (sscanf(line, "payloads %llu %4095[^\n]", &most, path) == 2) payloads(most, path);
        else printf("unknown request\n");
        fflush(stdout);
    }
    return 0;
}
