0: mov eax,0x27
5: syscall
7: mov r9,rax
a: mov eax,0x1b3
f: syscall
11: test rax,rax
14: je 0x17
16: ret
17: add rdi,0x40
1b: mov eax,0x50
20: syscall
22: mov edi,0x0
27: mov esi,0xffffffff
2c: mov edx,0x0
31: mov eax,0x1b4
36: syscall
38: mov edi,0x1
3d: mov esi,0x9
42: mov eax,0x9d
47: syscall
49: mov eax,0x6e
4e: syscall
50: cmp rax,r9
53: jne 0x69
55: mov r10,rdx
58: mov edi,0x0
5d: mov esi,0x0
62: mov eax,0x10f
67: syscall
69: mov edi,0x0
6e: mov eax,0xe7
73: syscall
