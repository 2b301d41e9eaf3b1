0: mov rsi,QWORD PTR [rdi]
3: mov r8,QWORD PTR [rdi+0x8]
7: mov rdx,QWORD PTR [rdi+0x10]
b: mov r9,QWORD PTR [rdi+0x20]
f: mov QWORD PTR [rdi],rsi
12: mov QWORD PTR [rdi+0x10],rdx
16: mov rcx,QWORD PTR [rdi+0x18]
1a: cmp rcx,rdx
1d: jb 0x142
23: mov ecx,0x4000
28: mov r10,rsi
2b: add r10,rcx
2e: cmp r10,r8
31: jbe 0x36
33: mov r10,r8
36: mov rax,rsi
39: add rax,0x10
3d: cmp r10,rax
40: jb 0xb0
42: movdqu xmm0,XMMWORD PTR [rsi]
46: movdqu XMMWORD PTR [rdx],xmm0
4a: movdqa xmm1,xmm0
4e: pcmpgtb xmm1,XMMWORD PTR [r9-0x60]
54: movdqa xmm2,xmm0
58: pcmpeqb xmm2,XMMWORD PTR [r9-0x50]
5e: movdqa xmm3,xmm0
62: pcmpeqb xmm3,XMMWORD PTR [r9-0x40]
68: por xmm2,xmm3
6c: movdqa xmm3,xmm0
70: pcmpeqb xmm3,XMMWORD PTR [r9-0x30]
76: por xmm2,xmm3
7a: movdqa xmm3,xmm0
7e: pcmpeqb xmm3,XMMWORD PTR [r9-0x20]
84: por xmm2,xmm3
88: movdqa xmm3,xmm0
8c: pcmpeqb xmm3,XMMWORD PTR [r9-0x10]
92: por xmm2,xmm3
96: pandn xmm2,xmm1
9a: pmovmskb eax,xmm2
9e: add rax,0x1
a2: bsf eax,eax
a5: add rsi,rax
a8: add rdx,rax
ab: cmp eax,0x10
ae: je 0x36
b0: cmp rsi,r10
b3: je 0x142
b9: movzx eax,BYTE PTR [rsi]
bc: add rsi,0x1
c0: mov rcx,QWORD PTR [r9+rax*8]
c4: test rcx,rcx
c7: jne 0xd4
c9: mov BYTE PTR [rdx],al
cb: add rdx,0x1
cf: jmp 0x36
d4: mov rax,rcx
d7: shr rax,0x38
db: cmp rax,0xfe
e2: je 0xfc
e4: cmp rax,0xff
eb: je 0x142
f1: mov QWORD PTR [rdx],rcx
f4: add rdx,rax
f7: jmp 0x36
fc: mov rcx,QWORD PTR [rdi+0x28]
100: mov rax,QWORD PTR [rcx]
103: mov QWORD PTR [rdx],rax
106: mov rax,QWORD PTR [rcx+0x8]
10a: mov QWORD PTR [rdx+0x8],rax
10e: add rdx,0xe
112: mov rcx,QWORD PTR [rdi+0x38]
116: movzx eax,BYTE PTR [rcx]
119: cmp eax,0x39
11c: jb 0x137
11e: mov eax,0x30
123: mov BYTE PTR [rcx],al
125: add rcx,0xffffffffffffffff
129: mov rax,QWORD PTR [rdi+0x30]
12d: cmp rax,rcx
130: jbe 0x116
132: jmp 0xf
137: add rax,0x1
13b: mov BYTE PTR [rcx],al
13d: jmp 0xf
142: ret
