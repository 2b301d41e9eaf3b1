0: mov eax,0x1b3
5: syscall
7: test rax,rax
a: je 0xd
c: ret
d: mov rbx,rdx
10: mov rbp,rdx
13: mov ecx,0x200
18: add rbp,rcx
1b: mov rdi,QWORD PTR [rbp+0x10]
1f: test BYTE PTR [rbp+0x1],0x1
23: je 0x29
25: mov rdi,QWORD PTR [rbx+rdi*8]
29: mov rsi,QWORD PTR [rbp+0x18]
2d: test BYTE PTR [rbp+0x1],0x2
31: je 0x37
33: mov rsi,QWORD PTR [rbx+rsi*8]
37: mov rdx,QWORD PTR [rbp+0x20]
3b: test BYTE PTR [rbp+0x1],0x4
3f: je 0x45
41: mov rdx,QWORD PTR [rbx+rdx*8]
45: mov r10,QWORD PTR [rbp+0x28]
49: test BYTE PTR [rbp+0x1],0x8
4d: je 0x53
4f: mov r10,QWORD PTR [rbx+r10*8]
53: mov r8,QWORD PTR [rbp+0x30]
57: test BYTE PTR [rbp+0x1],0x10
5b: je 0x61
5d: mov r8,QWORD PTR [rbx+r8*8]
61: mov r9,QWORD PTR [rbp+0x38]
65: test BYTE PTR [rbp+0x1],0x20
69: je 0x6f
6b: mov r9,QWORD PTR [rbx+r9*8]
6f: movzx ecx,BYTE PTR [rbp+0x0]
73: cmp ecx,0x1
76: jbe 0xf2
7c: cmp ecx,0x2
7f: je 0xa7
81: cmp ecx,0x3
84: je 0xae
86: cmp ecx,0x4
89: je 0xb5
8b: cmp ecx,0x5
8e: je 0xbb
90: cmp ecx,0x6
93: je 0xc1
95: cmp ecx,0x7
98: je 0xc6
9a: cmp ecx,0x8
9d: je 0xcc
9f: mov rax,rdi
a2: jmp 0x137
a7: cmp rdi,rsi
aa: je 0xec
ac: jmp 0xe0
ae: cmp rdi,rsi
b1: jl 0xec
b3: jmp 0xe0
b5: movsxd rax,DWORD PTR [rdi+rsi*1]
b9: jmp 0xd8
bb: mov rax,QWORD PTR [rdi+rsi*1]
bf: jmp 0xd8
c1: mov DWORD PTR [rdi+rsi*1],edx
c4: jmp 0xe0
c6: mov QWORD PTR [rdi+rsi*1],rdx
ca: jmp 0xe0
cc: mov rcx,rdx
cf: shl rsi,cl
d2: mov rax,rdi
d5: add rax,rsi
d8: movzx ecx,BYTE PTR [rbp+0x2]
dc: mov QWORD PTR [rbx+rcx*8],rax
e0: movsxd rax,DWORD PTR [rbp+0x8]
e4: add rbp,rax
e7: jmp 0x1b
ec: movsxd rax,DWORD PTR [rbp+0xc]
f0: jmp 0xe4
f2: movzx eax,WORD PTR [rbp+0x4]
f6: syscall
f8: test rax,rax
fb: jne 0x106
fd: movzx ecx,BYTE PTR [rbp+0x0]
101: cmp ecx,0x1
104: je 0xec
106: cmp rax,0xfffffffffffff001
10d: jb 0xd8
10f: mov rdi,rax
112: neg edi
114: movzx ecx,BYTE PTR [rbp+0x6]
118: cmp ecx,edi
11a: je 0x12d
11c: cmp rcx,0xff
123: je 0x12d
125: movzx ecx,BYTE PTR [rbp+0x7]
129: cmp ecx,edi
12b: jne 0x137
12d: movzx ecx,BYTE PTR [rbp+0x2]
131: mov QWORD PTR [rbx+rcx*8],rax
135: jmp 0xec
137: neg eax
139: shl rax,0x20
13d: sub ebp,ebx
13f: shr ebp,0x6
142: or rax,rbp
145: push rax
146: mov rdi,QWORD PTR [rbx+0x8]
14a: mov rsi,rsp
14d: mov edx,0x8
152: mov eax,0x1
157: syscall
159: mov edi,0x7f
15e: mov eax,0xe7
163: syscall
