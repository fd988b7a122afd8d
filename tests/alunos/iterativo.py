"""De propósito, sem threads: atende um cliente de cada vez, até ele desconectar; os outros esperam.
No mais, certo (sem AVISO: não haveria outro conectado para ouvi-lo)."""
import socket
import sys

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
            resposta = f"Estoque atual: {estoque}"
        elif comando == "COMPRAR":
            if estoque > 0:
                estoque -= 1
                resposta = f"Compra realizada. Estoque restante: {estoque}"
            else:
                resposta = "ERRO: Produto esgotado"
        else:
            resposta = "ERRO: Comando invalido"
        conn.sendall(resposta.encode())


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(('0.0.0.0', int(sys.argv[1])))
server.listen()

while True:
    conn, addr = server.accept()
    try:
        handle_client(conn, addr)
    except Exception as erro:
        print(f"Erro com {addr}: {erro}")
    conn.close()
