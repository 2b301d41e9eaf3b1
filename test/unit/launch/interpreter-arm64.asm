0: mov x8, #0x1b3
4: svc #0x0
8: cbz x0, 0x10
c: ret
10: mov x19, x2
14: add x20, x2, #0x200
18: ldrb w9, [x20, #1]
1c: ldr x0, [x20, #16]
20: tbz w9, #0, 0x28
24: ldr x0, [x19, x0, lsl #3]
28: ldr x1, [x20, #24]
2c: tbz w9, #1, 0x34
30: ldr x1, [x19, x1, lsl #3]
34: ldr x2, [x20, #32]
38: tbz w9, #2, 0x40
3c: ldr x2, [x19, x2, lsl #3]
40: ldr x3, [x20, #40]
44: tbz w9, #3, 0x4c
48: ldr x3, [x19, x3, lsl #3]
4c: ldr x4, [x20, #48]
50: tbz w9, #4, 0x58
54: ldr x4, [x19, x4, lsl #3]
58: ldr x5, [x20, #56]
5c: tbz w9, #5, 0x64
60: ldr x5, [x19, x5, lsl #3]
64: ldrb w9, [x20]
68: cmp w9, #0x1
6c: b.ls 0x108
70: cmp w9, #0x2
74: b.eq 0xac
78: cmp w9, #0x3
7c: b.eq 0xb8
80: cmp w9, #0x4
84: b.eq 0xc4
88: cmp w9, #0x5
8c: b.eq 0xcc
90: cmp w9, #0x6
94: b.eq 0xd4
98: cmp w9, #0x7
9c: b.eq 0xdc
a0: cmp w9, #0x8
a4: b.eq 0xe4
a8: b 0x158
ac: cmp x0, x1
b0: b.eq 0x100
b4: b 0xf4
b8: cmp x0, x1
bc: b.lt 0x100
c0: b 0xf4
c4: ldrsw x0, [x0, x1]
c8: b 0xec
cc: ldr x0, [x0, x1]
d0: b 0xec
d4: str w2, [x0, x1]
d8: b 0xf4
dc: str x2, [x0, x1]
e0: b 0xf4
e4: lsl x1, x1, x2
e8: add x0, x0, x1
ec: ldrb w9, [x20, #2]
f0: str x0, [x19, x9, lsl #3]
f4: ldrsw x9, [x20, #8]
f8: add x20, x20, x9
fc: b 0x18
100: ldrsw x9, [x20, #12]
104: b 0xf8
108: ldrh w8, [x20, #4]
10c: svc #0x0
110: cbnz x0, 0x120
114: ldrb w9, [x20]
118: cmp w9, #0x1
11c: b.eq 0x100
120: cmn x0, #0xfff
124: b.cc 0xec
128: neg w10, w0
12c: ldrb w9, [x20, #6]
130: cmp w9, w10
134: b.eq 0x14c
138: cmp w9, #0xff
13c: b.eq 0x14c
140: ldrb w9, [x20, #7]
144: cmp w9, w10
148: b.ne 0x158
14c: ldrb w9, [x20, #2]
150: str x0, [x19, x9, lsl #3]
154: b 0x100
158: neg w0, w0
15c: sub w20, w20, w19
160: lsr w20, w20, #6
164: orr x0, x20, x0, lsl #32
168: str x0, [sp, #-16]!
16c: ldr x0, [x19, #8]
170: mov x1, sp
174: mov x2, #0x8
178: mov x8, #0x40
17c: svc #0x0
180: mov x0, #0x7f
184: mov x8, #0x5e
188: svc #0x0
