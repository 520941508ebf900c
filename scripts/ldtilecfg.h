/* Read before every file of llama.cpp.

   GCC before 12.4 and 13.3 believes that _tile_loadconfig reads 8 of the 64 bytes it is given (GCC bug 114098).
   It then leaves out the writes of the others, and llama.cpp ends in a segmentation fault on processors with AMX
   (llama.cpp issue 20824). Debian 12 has GCC 12.2. This says that all 64 are read. */
#ifdef __AMX_TILE__
#include <immintrin.h>
struct tile_config_bytes {
    char all[64];
};
#define _tile_loadconfig(config) __asm__ volatile("ldtilecfg %0" ::"m"(*(const struct tile_config_bytes *)(config)))
#endif
