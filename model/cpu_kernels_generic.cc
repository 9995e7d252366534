#define LVRPO_KERNELS_NAME generic
#include "model/cpu_kernels_body.h"
