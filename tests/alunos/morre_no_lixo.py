"""Certo e com AVISO a todos, e não teme quedas; mas de propósito decodifica fora de qualquer try, e
bytes que não são UTF-8 encerram o servidor inteiro."""
import os
import socket
import sys
import threading

lock = threading.Lock()
estoque = 10
conexoes = []


def avisar_todos():
    for conn in list(conexoes):
        try:
            conn.sendall("AVISO: O estoque acabou de esgotar!".encode())
        except OSError:
            pass


def responder(comando):
    global estoque
    with lock:
        if comando == "CONSULTAR":
            return f"Estoque atual: {estoque}"
        if comando == "COMPRAR":
            if estoque > 0:
                estoque -= 1
                return f"Compra realizada. Estoque restante: {estoque}"
            return "ERRO: Produto esgotado"
    return "ERRO: Comando invalido"


def handle_client(conn, addr):
    print(f"Conectado por {addr}")
    while True:
        try:
            dados = conn.recv(1024)
        except ConnectionError:
            break
        if not dados:
            break
        resposta = responder(dados.decode().strip().upper())
        try:
            conn.sendall(resposta.encode())
        except ConnectionError:
            pass
        if resposta == "Compra realizada. Estoque restante: 0":
            avisar_todos()
    conexoes.remove(conn)
    conn.close()


def acabar(erro):
    print(f"Erro numa thread: {erro.exc_value!r}", flush=True)
    os._exit(1)


threading.excepthook = acabar

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('0.0.0.0', int(sys.argv[1])))
server.listen()

while True:
    conn, addr = server.accept()
    conexoes.append(conn)
    threading.Thread(target=handle_client, args=(conn, addr)).start()
