0: ldr x1, [x0]
4: ldr x3, [x0, #8]
8: ldr x2, [x0, #16]
c: ldr x4, [x0, #32]
10: str x1, [x0]
14: str x2, [x0, #16]
18: ldr x7, [x0, #24]
1c: cmp x7, x2
20: b.cc 0xcc
24: mov x7, #0x4000
28: add x5, x1, x7
2c: cmp x5, x3
30: b.ls 0x38
34: mov x5, x3
38: cmp x1, x5
3c: b.eq 0xcc
40: ldrb w6, [x1]
44: add x1, x1, #0x1
48: ldr x7, [x4, x6, lsl #3]
4c: cbnz x7, 0x5c
50: strb w6, [x2]
54: add x2, x2, #0x1
58: b 0x38
5c: lsr x6, x7, #56
60: cmp w6, #0xfe
64: b.eq 0x7c
68: cmp w6, #0xff
6c: b.eq 0xcc
70: str x7, [x2]
74: add x2, x2, x6
78: b 0x38
7c: ldr x6, [x0, #40]
80: ldr x7, [x6]
84: str x7, [x2]
88: ldr x7, [x6, #8]
8c: str x7, [x2, #8]
90: add x2, x2, #0xe
94: ldr x7, [x0, #56]
98: ldrb w6, [x7]
9c: cmp w6, #0x39
a0: b.cc 0xc0
a4: mov x6, #0x30
a8: strb w6, [x7]
ac: sub x7, x7, #0x1
b0: ldr x6, [x0, #48]
b4: cmp x6, x7
b8: b.ls 0x98
bc: b 0x10
c0: add x6, x6, #0x1
c4: strb w6, [x7]
c8: b 0x10
cc: ret
