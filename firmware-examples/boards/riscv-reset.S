/* Reset code for RV32 without a vendor's files. */
  .section .text.reset
  .global reset_handler
reset_handler:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  la sp, stack_high
  /* picolibc keeps errno relative to tp. */
  la tp, __tls_base
  la t0, fault_handler
  .option push
  .option arch, +zicsr
  csrw mtvec, t0
  .option pop
  la t0, data_load
  la t1, data_low
  la t2, data_high
1:bgeu t1, t2, 2f
  lw a0, 0(t0)
  sw a0, 0(t1)
  addi t0, t0, 4
  addi t1, t1, 4
  j 1b
2:la t1, bss_low
  la t2, bss_high
3:bgeu t1, t2, 4f
  sw zero, 0(t1)
  addi t1, t1, 4
  j 3b
4:call main
  call board_exit
