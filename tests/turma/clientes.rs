//! Os clientes da turma: observados depois das notas, ao lado delas, e sem as mudar, a não ser que os pesos o digam.

use super::*;

/// Um cliente que compra uma vez e sai: errado de vários jeitos, e breve.
const BREVE_E_ERRADO: &str = "
import socket
s = socket.create_connection((\"localhost\", 12346))
s.sendall(b\"COMPRAR\")
print(s.recv(1024).decode())
";

#[test]
fn o_cliente_de_cada_um_fica_ao_lado_da_nota_e_nao_a_muda() {
    if !isola() {
        return;
    }
    let turma = Turma::nova();
    turma.aluno("os dois", "correto.py");
    turma.entregar("os dois", "iniciar.txt", "python3 servidor.py 12346\n");
    turma.entregar("os dois", "cliente.py", BREVE_E_ERRADO);
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
    for nome in ["os dois", "só o cliente"] {
        let faltam = &linhas[nome]["cliente_nao_cumpridas"];
        assert_eq!(linhas[nome]["cliente"], "cliente.py");
        assert!(faltam.contains("consulta-antes") && faltam.contains("ciclos"), "{linhas:?}");
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
        let [nota, cliente] = ["nota", "cliente_pontos"].map(|coluna| turma.coluna(nome, coluna));
        (nota.parse::<f64>().unwrap(), cliente.parse::<f64>().unwrap())
    };
    let (nota, cliente) = pontos("os dois");
    assert!(0.0 < cliente && cliente < 5.0 && nota == 10.0 + cliente, "{nota} {cliente}");
    assert_eq!(pontos("só o cliente"), (cliente, cliente));
    assert_eq!(pontos("só o servidor"), (10.0, 0.0), "não o entregou");
    assert_eq!(pontos("não conecta").1, 0.0);
    for pagina in [turma.pagina("os-dois"), turma.pagina("so-o-servidor")] {
        assert!(pagina.contains("nota-inteira") && pagina.contains("de 15,0"), "{pagina}");
        assert!(!pagina.contains("Isto não muda a nota"), "{pagina}");
    }
    let indice = fs::read_to_string(turma.saida().join("index.html")).unwrap();
    assert!(indice.contains("13,5 a 15,0"), "a distribuição vai até 15: {indice}");
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
