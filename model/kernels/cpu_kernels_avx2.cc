#define LVRPO_KERNELS_NAME avx2
#include "model/kernels/cpu_kernels_body.h"
