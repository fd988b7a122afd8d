//! Os clientes da turma: observados depois das notas, ao lado delas, e sem as mudar, a não ser que os pesos o digam.

use super::*;

/// Um cliente que compra uma vez e sai: errado de vários jeitos, e breve.
const BREVE_E_ERRADO: &str = "
import socket
s = socket.create_connection((\"localhost\", 12346))
s.sendall(b\"COMPRAR\")
print(s.recv(1024).decode())
";

/// Faz tudo o que se pede, mas sem esperar nada: vê-se depressa.
const SEM_ESPERAS: &str = "
import random, socket, threading
def usuario():
    with socket.create_connection((\"localhost\", 12346)) as s:
        for _ in range(random.randint(10, 20)):
            for pedido in (b\"CONSULTAR\", b\"COMPRAR\"):
                s.sendall(pedido)
                if not s.recv(1024):
                    return
usuarios = [threading.Thread(target=usuario) for _ in range(5)]
[u.start() for u in usuarios]
[u.join() for u in usuarios]
";

#[test]
fn o_cliente_de_cada_um_fica_ao_lado_da_nota_e_nao_a_muda() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.aluno("os dois", "correto.py");
    turma.entregar("os dois", "iniciar.txt", "python3 servidor.py 12346\n");
    turma.entregar("os dois", "cliente.py", SEM_ESPERAS);
    turma.entregar("só o cliente", "cliente.py", BREVE_E_ERRADO);
    turma.aluno("só o servidor", "correto.py");
    turma.entregar("só o servidor", "iniciar.txt", "python3 servidor.py 12346\n");
    turma.entregar("não conecta", "cliente.py", "import socket\nraise SystemExit\ns.connect(1)\n");

    turma.corrigir(&[]);
    let sem = turma.linhas();
    assert!(sem.values().all(|linha| linha["cliente_visto"].is_empty()), "{sem:?}");

    // Só falta observar: o que já tem nota não se avalia de novo.
    let fim = turma.corrigir(&["--clientes"]);
    assert!(fim.erro.contains("não mudaram") && fim.erro.contains("observam-se"), "{fim:?}");
    let linhas = turma.linhas();
    for (nome, linha) in &linhas {
        assert_eq!((&linha["nota"], &linha["razao"]), (&sem[nome]["nota"], &sem[nome]["razao"]));
    }
    for (nome, quais) in
        [("os dois", ["decisao", "escuta"]), ("só o cliente", ["consulta-antes", "ciclos"])]
    {
        let faltam = &linhas[nome]["cliente_nao_cumpridas"];
        assert_eq!(linhas[nome]["cliente"], "cliente.py");
        assert!(quais.iter().all(|qual| faltam.contains(qual)), "{linhas:?}");
    }
    assert!(linhas["só o servidor"]["cliente_visto"].contains("não tem um programa que conecte"));
    assert!(linhas["não conecta"]["cliente_visto"].starts_with("não se viu"), "{linhas:?}");
    let pagina = turma.pagina("os-dois");
    assert!(
        pagina.contains("Exclusão Mútua") && pagina.contains("CONSULTAR antes de cada COMPRAR")
    );
    assert!(pagina.contains("os-dois-cliente.html"));
    let dele = turma.laudo("os-dois-cliente");
    assert_eq!(dele["exigencias"].as_array().map(Vec::len), Some(14), "{dele}");
    let indice = fs::read_to_string(turma.saida().join("index.html")).unwrap();
    assert!(indice.contains("sem cliente") && indice.contains("não se viu"), "{indice}");
    assert!(indice.contains(">cliente</button>"), "{indice}");

    // E o que já se observou não se observa de novo.
    let outra = turma.corrigir(&["--clientes"]);
    assert!(!outra.erro.contains("observam-se"), "{outra:?}");
    assert_eq!(turma.linhas(), linhas);

    com_pesos(&turma);
}

/// Os pesos que dão pontos ao cliente mudam a nota, e não obrigam a ver nada de novo.
fn com_pesos(turma: &Turma) {
    let pesos = turma.entregas().with_file_name("pesos.toml");
    fs::write(&pesos, "cliente = 5.0\n").unwrap();
    let fim = turma.corrigir(&["--pesos", pesos.to_str().unwrap()]);
    assert!(fim.erro.contains("4 não mudaram") && !fim.erro.contains("observam-se"), "{fim:?}");
    let pontos = |nome: &str| {
        let coluna = |coluna| turma.coluna(nome, coluna).parse::<f64>().ok();
        (coluna("nota"), coluna("cliente_pontos"))
    };
    let (nota, cliente) = pontos("os dois");
    let cliente = cliente.unwrap();
    assert!(0.0 < cliente && cliente < 5.0 && nota == Some(10.0 + cliente), "{nota:?} {cliente}");
    assert_eq!(pontos("só o cliente"), (None, None), "viu-se pouco");
    assert!(turma.coluna("só o cliente", "razao").contains("a nota é com o professor"));
    assert_eq!(pontos("só o servidor"), (Some(10.0), Some(0.0)), "não o entregou");
    assert_eq!(pontos("não conecta").1, Some(0.0));
    for pagina in [turma.pagina("os-dois"), turma.pagina("so-o-servidor")] {
        assert!(pagina.contains("nota-inteira") && pagina.contains("de 15,0"), "{pagina}");
        assert!(!pagina.contains("Isto não muda a nota"), "{pagina}");
    }
    let indice = fs::read_to_string(turma.saida().join("index.html")).unwrap();
    assert!(indice.contains("13,5 a 15,0"), "a distribuição vai até 15: {indice}");

    // Com os do servidor mudados ele se avalia de novo; o cliente é o mesmo, e o que se viu dele fica.
    let visto = |turma: &Turma| {
        turma.linhas().into_values().map(|l| l["cliente_visto"].clone()).collect::<Vec<_>>()
    };
    let antes = visto(turma);
    fs::write(&pesos, "cliente = 5.0\ntotal = 10.0\n").unwrap();
    let fim = turma.corrigir(&["--pesos", pesos.to_str().unwrap()]);
    assert!(!fim.erro.contains("não mudaram") && !fim.erro.contains("observam-se"), "{fim:?}");
    assert_eq!(visto(turma), antes);
    assert!(turma.pagina("os-dois").contains("os-dois-cliente.html"));
    assert_eq!(turma.coluna("os dois", "cliente"), "cliente.py");
}

#[test]
fn o_cliente_na_porta_errada_do_seu_servidor_observa_se_nela() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.aluno("os dois", "correto.py");
    turma.entregar("os dois", "iniciar.txt", "python3 servidor.py 5000\n");
    turma.entregar("os dois", "cliente.py", &SEM_ESPERAS.replace("12346", "5000"));
    turma.aluno("só o servidor", "correto.py");
    turma.entregar("só o servidor", "iniciar.txt", "python3 servidor.py 5000\n");
    turma.entregar("só o servidor", "cliente.py", SEM_ESPERAS);
    turma.corrigir(&["--clientes"]);
    for (nome, linha) in turma.linhas() {
        assert_eq!(linha["protocolo"], "1.50", "{nome}: {linha:?}");
        assert!(linha["cliente_visto"].starts_with("cumpre"), "{nome}: {linha:?}");
        let na_errada = linha["observacoes"].contains("o cliente conectou na porta 5000");
        assert_eq!(na_errada, nome == "os dois", "{linha:?}");
    }
    assert!(turma.pagina("os-dois").contains("a porta errada só se cobra do servidor"));
    let repete = turma.laudo("os-dois-cliente")["comando"].to_string();
    assert!(repete.contains("avaliar-cliente") && repete.contains("--porta 5000"), "{repete}");
}

#[test]
fn o_servidor_que_escuta_em_localhost_abre_na_cela() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    let certo = fs::read_to_string(script("correto.py")).unwrap();
    turma.entregar("local", "servidor.py", &certo.replace("'0.0.0.0'", "'localhost'"));
    turma.corrigir_em_python();
    assert_eq!(turma.nota("local"), "10.00", "{:?}", turma.linhas());
}

#[test]
fn quem_abre_depois_da_espera_tem_a_segunda_vez_com_mais_tempo() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.ataque("lento", "import time\ntime.sleep(3)");
    turma.corrigir(&[&EM_PYTHON[..], &["--espera", "2s"]].concat());
    assert_eq!(turma.nota("lento"), "10.00", "{:?}", turma.linhas());
}
