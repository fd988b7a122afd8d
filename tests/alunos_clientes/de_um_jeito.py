"""O cliente do enunciado, certo, ou errado de um jeito só: o do argumento. Os tempos se multiplicam por ESCALA."""
import os
import random
import socket
import sys
import threading
import time

JEITO = sys.argv[1] if len(sys.argv) > 1 else "certo"
PORTA = int(os.environ.get("PORTA", 12346))
ESCALA = float(os.environ.get("ESCALA", 1))
USUARIOS = 6
parou = threading.Event()


def dormir(de, ate):
    time.sleep(random.uniform(de, ate) * ESCALA)


def receber(s):
    if JEITO == "espera_linha":
        texto = b""
        while not texto.endswith(b"\n"):
            pedaco = s.recv(1)
            if not pedaco:
                raise EOFError
            texto += pedaco
        return texto.decode()
    dados = s.recv(1024)
    if not dados and JEITO != "sem_try":
        raise EOFError
    return dados.decode()


def mostrar(n, texto):
    if "AVISO" in texto and JEITO != "cala_o_aviso":
        print(f"[{n}] {texto.strip()}", flush=True)
        if JEITO == "para_no_aviso":
            parou.set()


def escutar(s, n):
    tempo = random.uniform(1, 2) if JEITO == "escuta_pouco" else random.uniform(5, 10)
    fim = time.time() + tempo * ESCALA
    while time.time() < fim:
        s.settimeout(max(0.001, fim - time.time()))
        try:
            mostrar(n, receber(s))
        except socket.timeout:
            break
    s.settimeout(None)


def ciclo(s, n):
    if JEITO != "nao_consulta":
        s.sendall(b"CONSULTAR")
        receber(s)
    if JEITO != "nao_decide":
        dormir(0.5, 3)
    if JEITO == "nem_sempre_compra" and random.random() < 0.4:
        return
    s.sendall(b"COMPRAR")
    texto = receber(s)
    mostrar(n, texto)
    if JEITO == "parte_a_resposta" and int(texto.split(":")[1]) < 0:
        print("negativo")
    if JEITO == "sai_na_hora":
        return
    escutar(s, n)


def conectar():
    return socket.create_connection(("127.0.0.1", PORTA))


def usuario(n):
    ciclos = {"poucos_ciclos": random.randint(3, 5), "ciclos_fixos": 12}.get(JEITO, random.randint(10, 20))
    if JEITO in ("por_ciclo", "sai_na_hora"):
        for _ in range(ciclos):
            with conectar() as s:
                ciclo(s, n)
        return
    s = conectar()
    for _ in range(ciclos):
        if parou.is_set():
            break
        if JEITO == "sem_try":
            ciclo(s, n)
            continue
        try:
            ciclo(s, n)
        except (OSError, EOFError):
            print(f"[{n}] o servidor fechou")
            return
    s.close()


def protegido(n):
    try:
        usuario(n)
    except (OSError, EOFError):
        if JEITO == "sem_try":
            raise
        print(f"[{n}] perdi a conexao")


if JEITO == "um_por_vez":
    for n in range(3):
        protegido(n)
else:
    threads = [threading.Thread(target=protegido, args=(n,)) for n in range(USUARIOS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
while JEITO == "nao_termina":
    time.sleep(1)
