#define LVRPO_KERNELS_NAME avx512
#include "model/kernels/cpu_kernels_body.h"
