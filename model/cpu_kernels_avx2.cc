#define LVRPO_KERNELS_NAME avx2
#include "model/cpu_kernels_body.h"
