/* Calls the proof with a frame, and looks at the frame that comes back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The precompiled `alloc` names these for unwinding, which nothing here does: a panic stops. */
void rust_eh_personality(void) {}
void _Unwind_Resume(void) { abort(); }

int proof(unsigned char payload[8]);

int main(void) {
    unsigned char payload[8] = {0x0F, 0xA0, 0, 0, 0, 0, 0, 0}; /* 4000 raw: 1000 rpm */
    const unsigned char wanted[8] = {0x1F, 0x40, 100, 0, 0, 0, 0, 0}; /* 2000 rpm, 60 degrees */
    int step = proof(payload);
    if (step != 0 || memcmp(payload, wanted, 8) != 0) {
        printf("no_std: step %d failed\n", step);
        return 1;
    }
    puts("no_std: loaded, decoded, encoded, built and written without std");
    return 0;
}
