"""Certo, mas só escuta no endereço IPv6 desta máquina."""
import socket
import sys
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


server = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('::1', int(sys.argv[1])))
server.listen()

while True:
    conn, addr = server.accept()
    threading.Thread(target=handle_client, args=(conn, addr)).start()
