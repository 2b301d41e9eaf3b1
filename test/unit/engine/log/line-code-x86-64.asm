0: mov rsi,QWORD PTR [rdi]
3: mov r8,QWORD PTR [rdi+0x8]
7: mov rdx,QWORD PTR [rdi+0x10]
b: mov r9,QWORD PTR [rdi+0x20]
f: mov QWORD PTR [rdi],rsi
12: mov QWORD PTR [rdi+0x10],rdx
16: mov rcx,QWORD PTR [rdi+0x18]
1a: cmp rcx,rdx
1d: jb 0xc2
23: mov ecx,0x4000
28: mov r10,rsi
2b: add r10,rcx
2e: cmp r10,r8
31: jbe 0x36
33: mov r10,r8
36: cmp rsi,r10
39: je 0xc2
3f: movzx eax,BYTE PTR [rsi]
42: add rsi,0x1
46: mov rcx,QWORD PTR [r9+rax*8]
4a: test rcx,rcx
4d: jne 0x57
4f: mov BYTE PTR [rdx],al
51: add rdx,0x1
55: jmp 0x36
57: mov rax,rcx
5a: shr rax,0x38
5e: cmp rax,0xfe
65: je 0x7c
67: cmp rax,0xff
6e: je 0xc2
74: mov QWORD PTR [rdx],rcx
77: add rdx,rax
7a: jmp 0x36
7c: mov rcx,QWORD PTR [rdi+0x28]
80: mov rax,QWORD PTR [rcx]
83: mov QWORD PTR [rdx],rax
86: mov rax,QWORD PTR [rcx+0x8]
8a: mov QWORD PTR [rdx+0x8],rax
8e: add rdx,0xe
92: mov rcx,QWORD PTR [rdi+0x38]
96: movzx eax,BYTE PTR [rcx]
99: cmp eax,0x39
9c: jb 0xb7
9e: mov eax,0x30
a3: mov BYTE PTR [rcx],al
a5: add rcx,0xffffffffffffffff
a9: mov rax,QWORD PTR [rdi+0x30]
ad: cmp rax,rcx
b0: jbe 0x96
b2: jmp 0xf
b7: add rax,0x1
bb: mov BYTE PTR [rcx],al
bd: jmp 0xf
c2: ret
