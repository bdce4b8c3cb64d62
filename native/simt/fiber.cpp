// Hand-written switches for x86-64 and aarch64: 7 to 10 ns, where ucontext, which serves elsewhere, takes 250 ns for
// the signal mask it saves each time.

#include "simt/fiber.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

// WAM_UCONTEXT takes the portable way everywhere, to test it.
#if defined(WAM_UCONTEXT) || (!defined(__x86_64__) && !defined(__aarch64__))
#define WAM_UCONTEXT_SWITCH
#include <ucontext.h>
#endif

namespace wam::simt {

#if defined(WAM_UCONTEXT_SWITCH)

// stack_pointer holds a ucontext_t, made on the first use and kept for the life of the process.
namespace {
ucontext_t* contents(Context& context) {
  if (context.stack_pointer == nullptr) context.stack_pointer = new ucontext_t;
  return static_cast<ucontext_t*>(context.stack_pointer);
}
}  // namespace

void make_context(Context& context, void* low, std::size_t bytes, void (*entry)()) {
  ucontext_t* c = contents(context);
  if (getcontext(c) != 0) std::abort();
  c->uc_stack.ss_sp = low;
  c->uc_stack.ss_size = bytes;
  c->uc_link = nullptr;
  makecontext(c, entry, 0);
}

void switch_context(Context& from, Context& to) {
  if (swapcontext(contents(from), contents(to)) != 0) std::abort();
}

#elif defined(__x86_64__)

// The System V ABI keeps rbx, rbp and r12-r15 over a call; the control words of x87 and SSE are never changed here.
extern "C" void wam_simt_switch(void** from, void* to);
asm(R"(
.text
.p2align 4
.globl wam_simt_switch
.hidden wam_simt_switch
.type wam_simt_switch, @function
wam_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size wam_simt_switch, .-wam_simt_switch
)");

void make_context(Context& context, void* low, std::size_t bytes, void (*entry)()) {
  // Six registers and the address that `ret` goes to; above it a return address of zero, which ends backtraces. At the
  // entry the stack pointer is 8 off a multiple of 16, as after a call.
  void** top = reinterpret_cast<void**>(static_cast<unsigned char*>(low) + bytes - 24);
  top[0] = nullptr;
  top[-1] = reinterpret_cast<void*>(entry);
  for (int i = 2; i <= 7; ++i) top[-i] = nullptr;
  context.stack_pointer = top - 7;
}

void switch_context(Context& from, Context& to) { wam_simt_switch(&from.stack_pointer, to.stack_pointer); }

#elif defined(__aarch64__)

// AAPCS64 keeps x19-x28, the frame pointer x29, the link register x30 and the low halves of v8-v15.
extern "C" void wam_simt_switch(void** from, void* to);
asm(R"(
.text
.p2align 4
.globl wam_simt_switch
.hidden wam_simt_switch
.type wam_simt_switch, %function
wam_simt_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size wam_simt_switch, .-wam_simt_switch
)");

void make_context(Context& context, void* low, std::size_t bytes, void (*entry)()) {
  void** frame = reinterpret_cast<void**>(static_cast<unsigned char*>(low) + bytes - 160);
  for (int i = 0; i < 20; ++i) frame[i] = nullptr;
  frame[11] = reinterpret_cast<void*>(entry);  // x30
  context.stack_pointer = frame;
}

void switch_context(Context& from, Context& to) { wam_simt_switch(&from.stack_pointer, to.stack_pointer); }

#endif

StackPool::StackPool() {
  void* memory =
      mmap(nullptr, kCount * (kBytes + kGuard), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  base_ = static_cast<unsigned char*>(memory);
  for (int i = 0; i < kCount; ++i) {
    if (mprotect(low(i), kBytes, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  }
}

StackPool::~StackPool() { munmap(base_, kCount * (kBytes + kGuard)); }

}  // namespace wam::simt
