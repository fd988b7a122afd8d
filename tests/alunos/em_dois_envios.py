"""Certo, mas manda cada resposta em dois `send`: o texto e, depois, o número."""
import socket
import sys
import threading

PORTA = int(sys.argv[1])
estoque = 10
trava = threading.Lock()


def responder(conexao, texto, numero=None):
    conexao.send(texto.encode())
    if numero is not None:
        conexao.send(str(numero).encode())


def atender(conexao):
    global estoque
    try:
        while True:
            dados = conexao.recv(1024)
            if not dados:
                break
            comando = dados.decode(errors="replace").strip().upper()
            with trava:
                if comando == "CONSULTAR":
                    responder(conexao, "Estoque atual: ", estoque)
                elif comando == "COMPRAR" and estoque > 0:
                    estoque -= 1
                    responder(conexao, "Compra realizada. Estoque restante: ", estoque)
                elif comando == "COMPRAR":
                    responder(conexao, "ERRO: Produto esgotado")
                else:
                    responder(conexao, "ERRO: Comando desconhecido")
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
