"""Com Lock e AVISO a todos, mas de propósito, em cerca de uma de cada cinco vezes em que é aberto,
vende uma unidade duas vezes (11 vendas de 10). Nas outras, está certo.

Com mais dois argumentos, um arquivo e um número N, erra só na N-ésima vez em que é aberto: conta as
vezes no arquivo."""
import os
import random
import socket
import sys
import threading

lock = threading.Lock()
estoque = 10
conexoes = []
if len(sys.argv) > 3:
    with open(sys.argv[2], "ab") as contagem:
        contagem.write(b".")
    vai_errar = os.path.getsize(sys.argv[2]) == int(sys.argv[3])
else:
    vai_errar = random.random() < 0.2


def avisar_todos():
    for conn in list(conexoes):
        try:
            conn.sendall("AVISO: O estoque acabou de esgotar!".encode())
        except OSError:
            pass


def responder(comando):
    global estoque, vai_errar
    with lock:
        if comando == "CONSULTAR":
            return f"Estoque atual: {estoque}"
        if comando == "COMPRAR":
            if estoque > 0:
                if vai_errar and estoque == 5:
                    vai_errar = False  # esta venda não desconta e repete o restante da anterior
                else:
                    estoque -= 1
                return f"Compra realizada. Estoque restante: {estoque}"
            return "ERRO: Produto esgotado"
    return "ERRO: Comando invalido"


def handle_client(conn, addr):
    print(f"Conectado por {addr}")
    try:
        while dados := conn.recv(1024):
            resposta = responder(dados.decode().strip().upper())
            conn.sendall(resposta.encode())
            if resposta == "Compra realizada. Estoque restante: 0":
                avisar_todos()
    except Exception as erro:
        print(f"Erro com {addr}: {erro}")
    conexoes.remove(conn)
    conn.close()


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('0.0.0.0', int(sys.argv[1])))
server.listen()

while True:
    conn, addr = server.accept()
    conexoes.append(conn)
    threading.Thread(target=handle_client, args=(conn, addr)).start()
