#define LVRPO_KERNELS_NAME generic
#include "model/kernels/cpu_kernels_body.h"
