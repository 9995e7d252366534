#define LVRPO_KERNELS_NAME avx512
#include "model/cpu_kernels_body.h"
