"""Nunca esgota: responde sempre que vendeu e que restam 5. Quem compra até acabar não acaba nunca."""
import socket
import sys
import threading

PORTA = int(sys.argv[1])


def atender(conexao):
    try:
        while True:
            dados = conexao.recv(1024)
            if not dados:
                break
            if dados.decode().strip().upper() == "CONSULTAR":
                conexao.sendall(b"Estoque atual: 5\n")
            else:
                conexao.sendall(b"Compra realizada. Estoque restante: 5\n")
    except OSError:
        pass
    finally:
        conexao.close()


servidor = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
servidor.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
servidor.bind(("0.0.0.0", PORTA))
servidor.listen()
while True:
    conexao, _ = servidor.accept()
    threading.Thread(target=atender, args=(conexao,), daemon=True).start()
