"""Certo, mas pergunta a porta no console antes de abrir, e fecha quando o teclado acaba."""
import socket
import os
import threading

lock = threading.Lock()
estoque = 10


def handle_client(conn, addr):
    global estoque
    print(f"Conectado por {addr}")
    while True:
        dados = conn.recv(1024)
        if not dados:
            break
        comando = dados.decode().strip().upper()
        if comando == "CONSULTAR":
            with lock:
                resposta = f"Estoque atual: {estoque}"
        elif comando == "COMPRAR":
            with lock:
                if estoque > 0:
                    estoque -= 1
                    resposta = f"Compra realizada. Estoque restante: {estoque}"
                else:
                    resposta = "ERRO: Produto esgotado"
        else:
            resposta = "ERRO: Comando invalido"
        conn.sendall(resposta.encode())
    conn.close()


def ler_o_teclado():
    while True:
        try:
            input()
        except EOFError:
            os._exit(0)


porta = int(input("Porta: "))
threading.Thread(target=ler_o_teclado, daemon=True).start()
server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('0.0.0.0', porta))
server.listen()

while True:
    conn, addr = server.accept()
    threading.Thread(target=handle_client, args=(conn, addr)).start()
