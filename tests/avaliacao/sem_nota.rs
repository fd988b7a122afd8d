//! Um que já está no ar, e o que nem se avalia.

use super::*;

#[test]
fn o_que_ja_esta_no_ar_tem_uma_rodada_e_continua_no_ar() {
    let servidor = Servidor::abrir(&[]);
    let laudo = avaliar(&["--servidor", &servidor.endereco().to_string()], "--compradores 20");
    laudo.confere(TUDO, ["nao-avaliado", "cumprido"], &["10 vendas em 1 rodada, nenhuma"]);
    assert_eq!(laudo.rodadas(), 1);
    assert!(
        laudo.fim.saida.contains("com --iniciar a avaliação é completa"),
        "{}",
        laudo.fim.saida
    );
    assert_eq!(servidor.cliente().pede("CONSULTAR"), "Estoque atual: 0");
}

#[test]
fn o_que_ja_tinha_esgotado_nao_prova_a_exclusao_e_o_laudo_diz_o_que_fazer() {
    let servidor = Servidor::abrir(&["--estoque", "0"]);
    let laudo = avaliar(&["--servidor", &servidor.endereco().to_string()], "--compradores 20");
    let frases = ["nada havia a vender; feche o servidor, abra-o de novo", "leu 0"];
    laudo.confere([3.0, 0.0, 1.2, 1.0], ["nao-avaliado", "nao-avaliado"], &frases);
}

#[test]
fn ninguem_no_ar_e_dito_em_uma_linha() {
    let porta = porta_livre();
    let erro = nao_avalia(&["--servidor", &format!("127.0.0.1:{porta}")]);
    assert!(erro.contains(&format!("ninguém atende em 127.0.0.1:{porta}")), "{erro}");
}

#[test]
fn poucos_compradores_para_o_estoque_e_dito() {
    for (compradores, dito) in [("10", true), ("11", false)] {
        let servidor = Servidor::abrir(&[]);
        let endereco = servidor.endereco().to_string();
        let laudo = avaliar(&["--servidor", &endereco], &format!("--compradores {compradores}"));
        let saida = laudo.fim.saida;
        assert_eq!(saida.contains("dê mais --compradores"), dito, "{saida}");
    }
}

// O que nem se avalia.

#[test]
fn um_comando_que_nao_existe_e_dito_em_uma_linha_com_o_que_tentar() {
    let inicio = "cliente: o servidor terminou antes de abrir: não há aqui um programa";
    for (comando, fim) in [
        (
            "nao-existe-tal-comando",
            "'nao-existe-tal-comando'; confira o nome e o caminho, ou instale-o",
        ),
        ("cd / && ./nada.sh 80", "'./nada.sh'; confira o nome e o caminho, ou instale-o"),
        // O `py` só há no Windows.
        ("py -u x.py", "'py'; experimente --iniciar 'python3 -u x.py'"),
    ] {
        assert_eq!(nao_abre(comando, &[]), format!("{inicio} {fim}\n"));
    }
}

/// Sem um `sh`, o que falta não é do servidor: quem o executaria é que não conseguiu.
#[test]
fn o_que_o_sistema_nao_executou_nao_se_diz_do_programa() {
    let porta = porta_livre().to_string();
    for (acao, quem) in [("avaliar", "servidor"), ("avaliar-cliente", "cliente")] {
        let mut sem_sh = comando("cliente", [acao, "--iniciar", "exit 1", "--porta", &porta]);
        sem_sh.env("PATH", "/nenhum");
        let fim = Processo::iniciar(sem_sh).termino();
        let dito = "(cliente: não posso executar o comando: não existe)";
        assert_eq!(fim.erro, format!("cliente: o sistema não executou o {quem} {dito}\n"));
        assert_eq!(fim.codigo, Some(1));
    }
}

#[test]
fn quem_termina_logo_mostra_a_ultima_linha_do_console() {
    let erro = nao_abre("echo primeira; echo a última linha; echo; exit 7", &[]);
    assert_eq!(erro, "cliente: o servidor terminou antes de abrir (a última linha)\n");
    // O console pode acabar depois do servidor, e nem por isso se espera por quem ficou com ele.
    for ultima in ["(sleep 0.05; echo a última linha) &", "sleep 600 & echo a última linha"] {
        let erro = nao_abre(ultima, &[]);
        assert_eq!(erro, "cliente: o servidor terminou antes de abrir (a última linha)\n");
    }
    let erro = nao_abre("exit 0", &[]);
    assert_eq!(erro, "cliente: o servidor terminou antes de abrir\n");
}

#[test]
fn o_que_o_console_diz_nao_manda_no_nosso_terminal() {
    let erro = nao_abre(r"printf 'um \033[2J apagão\n'", &[]);
    assert!(erro.contains(r"(um \u{1b}[2J apagão)"), "{erro}");
}

#[test]
fn quem_nunca_abre_a_porta_e_dito_com_o_que_conferir() {
    let erro = nao_abre("echo pensando; exec sleep 600", &["--espera", "1s"]);
    assert!(erro.contains("o servidor não abriu 127.0.0.1:"), "{erro}");
    assert!(erro.contains("em 1s (pensando); confira --porta e --espera"), "{erro}");
    assert_eq!(palavras_em_ingles(&erro), [""; 0], "{erro}");
}

#[test]
fn com_a_porta_errada_nada_sobra_no_ar() {
    let certa = porta_livre();
    let comando = format!("exec '{}' --porta {certa}", binario("servidor").display());
    let erro = nao_abre(&comando, &["--espera", "1s"]);
    assert!(erro.contains("confira --porta e --espera"), "{erro}");
    assert!(erro.contains(&format!("{certa}")), "o console diz onde ele abriu: {erro}");
    ninguem_atende(certa);
}

#[test]
fn uma_porta_ja_ocupada_e_dita_e_o_dono_dela_fica_em_paz() {
    let dono = Servidor::abrir(&[]);
    let porta = dono.endereco().port().to_string();
    let erro = nao_avalia(&["--iniciar", "exec sleep 600", "--porta", &porta]);
    assert!(erro.contains(&format!("já há um servidor na porta {porta}")), "{erro}");
    assert!(erro.contains("--servidor"), "{erro}");
    assert_eq!(palavras_em_ingles(&erro), [""; 0], "{erro}");
    assert_eq!(dono.cliente().pede("CONSULTAR"), "Estoque atual: 10");
}

#[test]
fn um_console_que_nao_para_nao_prende_ninguem() {
    let porta = porta_livre();
    let servidor = binario("servidor");
    let comando = format!("yes & exec '{}' --porta {porta}", servidor.display());
    let laudo = avaliar_comando(&comando, porta, "--rodadas 1 --compradores 20");
    // O log se perde na enxurrada, ou não: só se guarda o começo do console.
    assert_eq!((laudo.nota(), laudo.extras()[1]), (10.0, "cumprido"), "{}", laudo.fim.saida);
}

#[test]
fn um_filho_que_fica_com_a_porta_nao_sobrevive_a_avaliacao() {
    let porta = porta_livre();
    let comando = format!("'{}' --porta {porta} & wait", binario("servidor").display());
    let laudo = avaliar_comando(&comando, porta, "--rodadas 2 --compradores 20");
    assert_eq!(laudo.nota(), 10.0, "{}", laudo.fim.saida);
}

#[test]
fn um_filho_que_o_shell_abandona_tambem_nao() {
    let porta = porta_livre();
    // O shell termina na hora: para quem avalia, o servidor terminou.
    let comando = format!("'{}' --porta {porta} &", binario("servidor").display());
    let fim = executar(&["--iniciar", &comando, "--porta", &porta.to_string(), "--rodadas", "1"]);
    assert!(fim.codigo == Some(0) || fim.erro.contains("terminou antes de abrir"), "{fim:?}");
    ninguem_atende(porta);
}
