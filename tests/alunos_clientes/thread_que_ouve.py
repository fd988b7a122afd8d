"""Certo, com uma thread dedicada a ouvir por conexão (§6)."""
import os
import random
import socket
import threading
import time

PORTA = int(os.environ.get("PORTA", 12346))
ESCALA = float(os.environ.get("ESCALA", 1))


def ouvir(s, nome):
    while True:
        try:
            dados = s.recv(4096)
        except OSError:
            return
        if not dados:
            return
        print(nome, dados.decode(), flush=True)


def usuario(nome):
    s = socket.socket()
    s.connect(("127.0.0.1", PORTA))
    threading.Thread(target=ouvir, args=(s, nome), daemon=True).start()
    try:
        for _ in range(random.randint(10, 20)):
            s.send("CONSULTAR\n".encode())
            time.sleep(random.uniform(1, 4) * ESCALA)
            s.send("COMPRAR\n".encode())
            time.sleep(random.uniform(5, 10) * ESCALA)
    except OSError as erro:
        print(nome, erro)
    s.close()


todos = [threading.Thread(target=usuario, args=(f"usuario-{n}",)) for n in range(6)]
[t.start() for t in todos]
[t.join() for t in todos]
