"""Certo, mas quando o cliente se vai volta a ouvir: cada um que sai deixa uma thread em laço."""
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
            continue
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


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('0.0.0.0', int(sys.argv[1])))
server.listen()

while True:
    conn, addr = server.accept()
    threading.Thread(target=handle_client, args=(conn, addr)).start()
