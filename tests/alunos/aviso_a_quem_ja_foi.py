"""Guarda as conexões para sempre e avisa todas com a trava na mão: a primeira que já se foi derruba a
thread, a trava nunca é solta, e ninguém mais é atendido."""
import socket
import sys
import threading

PORTA = int(sys.argv[1])
estoque = 10
trava = threading.Lock()
conexoes = []


def atender(conexao):
    global estoque
    conexoes.append(conexao)
    while True:
        dados = conexao.recv(1024)
        if not dados:
            break
        comando = dados.decode(errors="replace").strip().upper()
        trava.acquire()
        if comando == "CONSULTAR":
            conexao.sendall(f"Estoque atual: {estoque}\n".encode())
        elif comando == "COMPRAR" and estoque > 0:
            estoque -= 1
            conexao.sendall(f"Compra realizada. Estoque restante: {estoque}\n".encode())
            if estoque == 0:
                for outra in conexoes:
                    outra.sendall("AVISO: O estoque acabou de esgotar!\n".encode())
        elif comando == "COMPRAR":
            conexao.sendall("ERRO: Produto esgotado\n".encode())
        else:
            conexao.sendall("ERRO: Comando desconhecido\n".encode())
        trava.release()
    conexao.close()


servidor = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
servidor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
servidor.bind(("0.0.0.0", PORTA))
servidor.listen()
while True:
    conexao, _ = servidor.accept()
    threading.Thread(target=atender, args=(conexao,), daemon=True).start()
