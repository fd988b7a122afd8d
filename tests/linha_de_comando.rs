//! Os programas diante de quem os executa: portas que não abrem, opções erradas, e português sempre.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

use testes::{
    Processo, Servidor, Termino, argumentos, comando, em_um_terminal, executar, nao_abre,
    palavras_em_ingles, por_meio_de, quem_vende_sempre_a_mesma, recusa, sem_privilegios,
};

/// Os programas, e a primeira palavra da ajuda de cada um.
const PROGRAMAS: [(&str, &str); 4] = [
    ("servidor", "Servidor "),
    ("cliente", "Multidão "),
    ("examples/thread_por_conexao", "O servidor "),
    ("examples/laco_em_dois_turnos", "Um laço "),
];

const ESC: char = '\u{1b}';

/// Executa um programa como se escreve: o nome e os argumentos, separados por espaços.
fn executar_linha(linha: &str) -> Termino {
    let mut palavras = linha.split(' ');
    executar(palavras.next().unwrap_or_default(), palavras)
}

/// Com menos do que isto, em KiB, é o carregador do sistema, ou a std antes do `main`, quem não o consegue abrir.
const POUCA_MEMORIA: [u32; 6] = [14_000, 15_000, 16_000, 17_200, 18_000, 20_000];

#[test]
fn sem_memoria_para_comecar_o_servidor_o_diz_em_uma_linha_e_sai_com_1() {
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    let jeitos = [
        &[][..],
        &["--livro", livro.to_str().unwrap()],
        &["--partilhado", "http://127.0.0.1:1", "--nome", "s"],
    ];
    for (kib, jeito) in POUCA_MEMORIA.into_iter().flat_map(|kib| jeitos.map(|jeito| (kib, jeito))) {
        let servidor = comando("servidor", [&["--porta", "0"], jeito].concat());
        let apertar = format!(r#"ulimit -c 0 -v {kib} && exec "$0" "$@""#);
        let fim = Processo::iniciar(por_meio_de(&["bash", "-c", &apertar], &servidor)).termino();
        assert_eq!(
            (fim.codigo, fim.erro.lines().count()),
            (Some(1), 1),
            "{kib} {jeito:?}: {fim:?}"
        );
        assert!(fim.erro.contains("'ulimit -v'"), "{kib} {jeito:?}: {fim:?}");
    }
    assert!(!livro.exists());
}

#[test]
fn uma_porta_ocupada_e_explicada_em_uma_linha() {
    let servidor = Servidor::abrir(&[]);
    let porta = servidor.endereco().port().to_string();
    let erro = nao_abre(&["--endereco", "127.0.0.1", "--porta", &porta]);
    assert!(erro.contains("já está em uso") && erro.contains(&porta), "{erro}");
    // E o dono dela nem percebeu.
    assert_eq!(servidor.cliente().pede("CONSULTAR"), "Estoque atual: 10");
}

#[test]
fn um_endereco_de_outra_maquina_e_explicado_em_uma_linha() {
    let erro = nao_abre(&["--endereco", "192.0.2.1", "--porta", "0"]);
    assert!(erro.contains("192.0.2.1") && erro.contains("não é desta máquina"), "{erro}");
}

#[test]
fn a_porta_80_de_um_usuario_comum_e_explicada_em_uma_linha() {
    let primeira_livre = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let livre = fs::read_to_string(primeira_livre).ok().and_then(|porta| porta.trim().parse().ok());
    if livre.is_none_or(|porta: u16| porta <= 80) {
        return println!("pulado: aqui a porta 80 é de qualquer um");
    }
    let pasta = tempfile::tempdir().unwrap();
    let servidor = comando("servidor", ["--endereco", "127.0.0.1", "--porta", "80"]);
    let Some(comum) = sem_privilegios(pasta.path(), &servidor) else { return };
    let erro = recusa(comum);
    assert!(erro.contains("127.0.0.1:80") && erro.contains("acima de 1023"), "{erro}");
}

#[test]
fn um_nome_desconhecido_e_explicado_em_uma_linha() {
    // Um rótulo de DNS tem no máximo 63 letras: deste o sistema nem chega a perguntar à rede.
    for nome in ["x".repeat(64), String::new()] {
        let erro = nao_abre(&["--endereco", &nome, "--porta", "0"]);
        assert!(erro.contains(&format!("'{nome}' não é um endereço conhecido")), "{erro}");
    }
}

#[test]
fn um_registro_impossivel_e_explicado_em_uma_linha() {
    let pasta = tempfile::tempdir().unwrap();
    for caminho in [pasta.path(), &pasta.path().join("nao/existe.log")] {
        let caminho = caminho.to_str().unwrap();
        let erro = nao_abre(&["--porta", "0", "--registro", caminho]);
        assert!(erro.contains(caminho) && erro.contains("--registro"), "{erro}");
    }
}

/// Tudo o que cada programa recusa nas opções.
fn opcoes_erradas() -> Vec<(&'static str, Vec<OsString>)> {
    let servidor = [
        "--xyz",
        "-x",
        "--portas 80",
        "sobra",
        "--porta",
        "--porta abc",
        "--porta 65536",
        "--porta=",
        "--porta 1 --porta 2",
        "--estoque -1",
        "--estoque=-1",
        "--estoque 18446744073709551616",
        "--estoque 1.5",
        "--max-conexoes 0",
        "--max-conexoes muitas",
        "--ocioso 0s",
        "--ocioso 5",
        "--ocioso -5s",
        "--ocioso",
        "--silencioso=sim",
        "--silencioso --silencioso",
        "--livro",
        "--repor 5",
        "--livro x --repor 0",
        "--livro x --repor 5 --estoque 10",
        "extrato",
        "extrato x y",
        "extrato x --csv --json",
        "extrato x --resumo --csv",
        "extrato x --resumo --json",
        "extrair x",
        "--porta 80 extrato x",
        "--silencioso --registro x",
        "--registro x --silencioso",
        "--ajuda=sim",
    ];
    let cliente = [
        "--xyz",
        "sobra",
        "--usuario 3",
        "--usuarios 0",
        "--usuarios muitos",
        "--servidor :80",
        "--servidor host:porta",
        "--ciclos 20..10",
        "--ciclos 0..3",
        "--decisao 1s..",
        "--decisao 3",
        "--escuta 1s..500ms",
        "--acelerar 0",
        "--acelerar depressa",
        "--semente -1",
        "--threads 0",
        "--rampa",
        "--rampa 30s:100",
        "--rampa 30s:100/s,",
        "--rampa 30s:100/s --ciclos 3",
        "--taxa",
        "--taxa 500",
        "--taxa 500/dia",
        "--taxa 0/s",
        "--taxa 5/s --rampa 3s",
        "--taxa 5/s --decisao 3s",
        "--taxa 5/s --acelerar 3",
        "--taxa 5/s --reconectar",
        "--taxa 5/s --durante 0s",
        "--durante 5s",
        "--rampa 3s:5/s --durante 5s",
        "--espera sempre",
        "--fim-de-linha cr",
        "--fim-de-linha",
        "--detalhado=sim",
        "--reconectar --reconectar",
        "--estoque",
        "--estoque -1",
        "--estoque muitas",
        "--relatorio",
        "--relatorio=",
        "--relatorio a --relatorio b",
        "--json",
        "--csv",
        "--exigir",
        "--exigir depressa",
        "--exigir p99(comprar)",
        "--exigir p99(vender)<1s",
        "--exigir p101(comprar)<1s",
        "--exigir p99(comprar)<50",
        "--exigir p99(comprar)=>50ms",
        "--exigir falhas=muitas",
        "--exigir vazao>1s",
        "--exigir falhas=0 --exigir <1",
        "avalia",
        "--detalhado avaliar --iniciar x",
        "avaliar",
        "avaliar --xyz",
        "avaliar sobra",
        "avaliar --usuarios 3 --iniciar x",
        "avaliar --iniciar",
        "avaliar --servidor localhost --iniciar x",
        "avaliar --servidor localhost --porta 80",
        "avaliar --servidor localhost --rodadas 3",
        "avaliar --servidor :80",
        "avaliar --iniciar 'py servidor.py'",
        "avaliar-cliente --iniciar 'py",
        "avaliar --iniciar x --porta 0",
        "avaliar --iniciar x --rodadas 0",
        "avaliar --iniciar x --rodadas muitas",
        "avaliar --iniciar x --compradores 1",
        "avaliar --iniciar x --estoque 0",
        "avaliar --iniciar x --espera 0s",
        "avaliar --iniciar x --relatorio",
        "avaliar --iniciar x --json",
        "avaliar --iniciar x --csv y",
    ];
    let separar = |linha: &str| linha.split(' ').map(OsString::from).collect::<Vec<_>>();
    let mut todas: Vec<_> = servidor.map(|linha| ("servidor", separar(linha))).into();
    todas.extend(cliente.map(|linha| ("cliente", separar(linha))));
    todas.push(("examples/thread_por_conexao", separar("--pausa x")));
    for opcao in ["--porta", "--estoque", "--registro", "--ocioso"] {
        todas.push(("servidor", vec![opcao.into(), "".into()]));
    }
    // Um caminho pode não ser UTF-8; um endereço e um número, não.
    let torto = || OsString::from_vec(b"\xff\xfe".into());
    todas.extend([
        ("servidor", vec![torto()]),
        ("servidor", vec!["--porta".into(), torto()]),
        ("servidor", vec!["--endereco".into(), torto()]),
        ("cliente", vec!["--servidor".into(), torto()]),
    ]);
    todas
}

#[test]
fn opcoes_erradas_saem_com_2_e_uma_explicacao_em_portugues() {
    for (programa, opcoes) in opcoes_erradas() {
        let Termino { codigo, saida, erro, .. } = executar(programa, &opcoes);
        assert_eq!((codigo, saida.as_str()), (Some(2), ""), "{programa} {opcoes:?}: {erro}");
        assert!(erro.starts_with("erro: ") && erro.contains("'--ajuda'"), "{opcoes:?}: {erro}");
        assert_eq!(palavras_em_ingles(&erro), [""; 0], "{opcoes:?}: {erro}");
        assert!(!erro.contains(ESC), "{opcoes:?}: {erro:?}");
    }
}

#[test]
fn o_erro_de_uso_diz_o_que_estava_errado_e_o_que_seria_certo() {
    for (programa, opcoes, pistas) in [
        ("servidor", "--portas 80", ["--portas", "--porta"]),
        ("servidor", "--porta abc", ["'abc'", "de 0 a 65535"]),
        ("servidor", "--ocioso 5", ["'5'", "500ms"]),
        ("servidor", "--silencioso --registro x", ["--silencioso", "--registro"]),
        ("servidor", "--porta", ["falta", "--porta"]),
        ("servidor", "--repor 5", ["falta '--livro <ARQUIVO>'", "ou '--partilhado <URL>'"]),
        ("servidor", "--partilhado x", ["falta '--nome <NOME>'", "ou '--repor <UNIDADES>'"]),
        ("servidor", "extrair x", ["'extrair'", "'extrato'"]),
        ("servidor", "extrato", ["falta 'LIVRO'", "ou '--partilhado <URL>'"]),
        // Assim chega o que se escreve no cmd com aspas simples.
        ("cliente", "avaliar --iniciar 'py servidor.py'", ["aspas simples", "aspas duplas"]),
        ("cliente", "--usuario 3", ["--usuario", "--usuarios"]),
        ("cliente", "--ciclos 20..10", ["o começo (20)", "o fim (10)"]),
        ("cliente", "--decisao 3", ["'3'", "500ms"]),
        ("cliente", "--fim-de-linha cr", ["'cr'", "lf, crlf, nenhum"]),
        ("cliente", "--acelerar 0", ["'0'", "0,001"]),
        ("cliente", "--estoque muitas", ["'muitas'", "número inteiro"]),
        ("cliente", "--exigir vendas", ["comparação", "falhas=0"]),
        ("cliente", "--exigir p99(vender)<1s", ["'p99(vender)'", "p99(comprar)"]),
        ("cliente", "--exigir p99(comprar)<50", ["duração", "500ms"]),
        ("cliente", "--exigir p99(comprar)<0,5", ["duração", "500ms"]),
        ("cliente", "--exigir falhas=muitas", ["'falhas=muitas'", "esperava um número"]),
        ("cliente", "--relatorio", ["falta", "--relatorio"]),
        ("cliente", "avalia", ["'avalia'", "'avaliar'"]),
        (
            "cliente",
            "--detalhado avaliar --iniciar x",
            ["--detalhado", "um comando vem antes das opções"],
        ),
        ("cliente", "--usuarios 5 extra", ["não se espera 'extra'", "'--usuarios <N>'"]),
        ("cliente", "avaliar", ["'--iniciar <COMANDO>'", "'--servidor <HOST:PORTA>'"]),
        ("cliente", "avaliar --iniciar ", ["valor inválido ''", "esperava o comando"]),
        ("cliente", "avaliar-cliente --iniciar ", ["valor inválido ''", "esperava o comando"]),
        ("cliente", "avaliar --servidor localhost --iniciar x", ["--servidor", "--iniciar"]),
        ("cliente", "avaliar --servidor localhost --rodadas 3", ["--servidor", "--rodadas"]),
        ("cliente", "avaliar --iniciar x --rodadas 0", ["'0'", "de 1 a 1000"]),
        ("cliente", "avaliar --iniciar x --compradores 1", ["'1'", "de 2 a 1000"]),
    ] {
        let erro = executar(programa, opcoes.split(' ')).erro;
        for pista in pistas {
            assert!(erro.contains(pista), "{opcoes}: {erro}");
        }
    }
}

#[test]
fn a_ajuda_e_a_versao_saem_com_0_e_em_portugues() {
    for (programa, comeco) in PROGRAMAS
        .into_iter()
        .chain([("cliente avaliar", "Dá nota "), ("servidor extrato", "Mostra as vendas ")])
    {
        let nome = programa.trim_start_matches("examples/");
        for opcao in ["--ajuda", "-h", "--help", "--versao", "-V", "--version"] {
            let Termino { codigo, saida, erro, .. } =
                executar_linha(&format!("{programa} {opcao}"));
            assert_eq!((codigo, erro.as_str()), (Some(0), ""), "{programa} {opcao}");
            assert_eq!(palavras_em_ingles(&saida), [""; 0], "{programa} {opcao}: {saida}");
            let versao = opcao.contains(['V', 'v']);
            let esperado = if versao { format!("{nome} ") } else { comeco.to_owned() };
            assert!(saida.starts_with(&esperado), "{programa} {opcao}: {saida}");
            assert!(!saida.contains(ESC), "{programa} {opcao}: {saida:?}");
        }
    }
}

/// Confere que a ajuda tem estas partes nesta ordem e, depois delas, todas estas opções.
fn ajuda_completa(programa: &str, partes: &[&str], opcoes: &[&str]) {
    let ajuda = executar_linha(&format!("{programa} --ajuda")).saida;
    let mut resto = ajuda.as_str();
    for parte in partes {
        let onde = resto.find(parte).unwrap_or_else(|| panic!("falta {parte}, na ordem: {ajuda}"));
        resto = &resto[onde..];
    }
    // A largura do terminal pode partir um "[padrão: x]" em duas linhas.
    let resto = resto.split_whitespace().collect::<Vec<_>>().join(" ");
    for opcao in opcoes {
        assert!(resto.contains(opcao), "falta {opcao}: {ajuda}");
    }
}

#[test]
fn a_ajuda_comeca_pelos_exemplos_e_fala_de_todas_as_opcoes() {
    ajuda_completa(
        "servidor",
        &[
            "Exemplos:",
            "nc localhost 12346",
            "Uso:",
            "extrato [OPÇÕES] [LIVRO]",
            "Comandos:",
            "Opções:",
        ],
        &[
            "--endereco",
            "--porta",
            "--estoque",
            "--livro",
            "--partilhado",
            "--nome",
            "--repor",
            "--max-conexoes",
            "--max-por-endereco",
            "--ocioso",
            "--silencioso",
            "--registro",
            "--ajuda",
            "--versao",
            "[padrão: todos, por IPv4 e por IPv6]",
            "[padrão: 12346]",
            "[padrão: 10]",
        ],
    );
    ajuda_completa(
        "cliente",
        &[
            "Exemplos:",
            "cliente --usuarios 200",
            "Uso:",
            "cliente avaliar",
            "Comandos:",
            "avaliar",
            "Opções:",
        ],
        &[
            "--servidor <HOST:PORTA>",
            "[padrão: localhost:12346]",
            "[padrão: 50]",
            "[padrão: 10..20]",
            "[padrão: 500ms..3s]",
            "[padrão: 5s..10s]",
            "--acelerar",
            "--rampa",
            "--taxa <TAXA>",
            "--durante <DURAÇÃO>",
            "--reconectar",
            "--semente",
            "--threads",
            "[padrão: 10s]",
            "[valores: lf, crlf, nenhum]",
            "--detalhado",
            "--estoque <UNIDADES>",
            "--reposicoes <ARQUIVO>",
            "--exigir <EXIGÊNCIA>",
            "--relatorio <ARQUIVO>",
            "--json <ARQUIVO>",
            "--csv <ARQUIVO>",
            "Códigos de saída: 0 tudo certo 1 não pôde simular",
            "5 do estoque, nada de errado; do AVISO (um extra), sim",
        ],
    );
    ajuda_completa(
        "cliente avaliar",
        &["Exemplos:", "cliente avaliar --iniciar", "Uso: cliente avaliar [OPÇÕES]", "Opções:"],
        &[
            "--servidor <HOST:PORTA>",
            "--iniciar <COMANDO>",
            "--porta <PORTA>",
            "[padrão: 12346]",
            "--rodadas <N>",
            "[padrão: 20]",
            "--compradores <N>",
            "[padrão: 50]",
            "--estoque <UNIDADES>",
            "[padrão: 10]",
            "--espera <DURAÇÃO>",
            "[padrão: 10s]",
            "--relatorio <ARQUIVO>",
            "--json <ARQUIVO>",
            "--ajuda",
            "--versao",
        ],
    );
}

#[test]
fn em_um_terminal_ha_cores_e_com_no_color_nao() {
    for (programa, _) in PROGRAMAS {
        let tela = em_um_terminal(comando(programa, ["--ajuda"]));
        assert!(tela.contains(ESC), "o terminal de mentira não convence: {tela:?}");
        for opcao in ["--ajuda", "--xyz"] {
            let mut sem_cor = comando(programa, [opcao]);
            sem_cor.env("NO_COLOR", "1");
            let tela = em_um_terminal(sem_cor);
            assert!(tela.contains("Uso:") && !tela.contains(ESC), "{tela:?}");
        }
    }
}

/// O que a multidão diz, em um terminal, de um servidor que vende certo e de um que vende sempre a mesma.
fn na_tela(ambiente: &[(&str, &str)]) -> [String; 2] {
    let certo = Servidor::abrir(&[]);
    [certo.endereco(), quem_vende_sempre_a_mesma()].map(|servidor| {
        let opcoes = "--usuarios 2 --ciclos 1";
        let mut multidao = comando("cliente", argumentos(servidor, opcoes));
        multidao.envs(ambiente.iter().copied());
        em_um_terminal(multidao)
    })
}

#[test]
fn em_um_terminal_o_veredito_tem_cor_e_com_no_color_nao() {
    let [certo, errado] = na_tela(&[]);
    let pintado = |cor, palavra: &str| format!("Veredito: {ESC}[1m{ESC}[{cor}m{palavra}{ESC}[0m");
    assert!(certo.contains(&pintado(32, "CONSISTENTE")), "{certo:?}");
    assert!(errado.contains(&pintado(31, "INCONSISTENTE")), "{errado:?}");
    // O andamento se move com outras sequências: só o que se conclui é que não tem nenhuma.
    for tela in na_tela(&[("NO_COLOR", "1")]) {
        let (_, conclusao) = tela.split_once("Resumo").unwrap();
        assert!(conclusao.contains("CONSISTENTE") && !conclusao.contains(ESC), "{conclusao:?}");
    }
}

#[test]
fn em_um_terminal_os_sinais_da_nota_tem_cor_e_fora_dele_nao() {
    let endereco = quem_vende_sempre_a_mesma().to_string();
    let avaliar = || comando("cliente", ["avaliar", "--servidor", &endereco, "--compradores", "2"]);
    let tela = em_um_terminal(avaliar());
    for sinal in ["[1m\u{1b}[32m✓", "[1m\u{1b}[31m✗"] {
        assert!(tela.contains(sinal), "falta {sinal:?} em {tela:?}");
    }
    let fim = Processo::iniciar(avaliar()).termino();
    assert!(fim.saida.contains("  ✓ ") && fim.saida.contains("  ✗ "), "{fim:?}");
    assert!(!fim.saida.contains(ESC), "{fim:?}");
}
