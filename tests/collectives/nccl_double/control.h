#pragma once

// What tests ask of the NCCL double besides NCCL's own functions: dlsym() finds these in libnccl_double.so.
extern "C" {

// Adds a fault, or takes all away (null). R is a rank, K the place of an operation on its communicator, from
// 0:
//   hold rank=R op=K           R does not begin it before nccl_double_release()
//   drop rank=R op=K           R takes it and never does it: it ends nowhere
//   stall rank=R op=K          it ends everywhere but on R
//   error rank=R op=K          ncclSystemError on R
//   silent_loss                a peer that is gone is not noticed (as over NVLink), instead of
//   ncclRemoteError die_in_init rank=R         ncclSystemError on R, which the others wait for die_in_shrink
//   rank=R       the same refuse_grow                ncclInvalidUsage stick_in_abort rank=R ncclCommAbort
//   does not return before nccl_double_release() stick_in_revoke rank=R     the same of ncclCommRevoke
// NCCL_DOUBLE_FAULTS in the environment has some from the start, separated by commas. Returns 0, or 1 for
// words that it does not understand.
int nccl_double_fault(const char* fault);
void nccl_double_release(void);

// The rules broken since the last call, a line each, to be kept by the caller until the next; each breach has
// been printed on stderr too. The real library hangs, or does anything, where a rule is broken.
const char* nccl_double_breaches(void);
// Communicators of this process that have been neither destroyed nor aborted.
int nccl_double_communicators(void);
}
