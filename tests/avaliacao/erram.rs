//! Os que erram, cada um em uma coisa.

use super::*;

#[test]
fn avisar_quem_ja_foi_com_a_trava_na_mao_custa_a_robustez() {
    let Some(laudo) = aluno("aviso_a_quem_ja_foi.py", BREVE) else { return };
    laudo.confere([3.0, 4.0, 2.0, 0.0], SEM_LOG, &["deixou de ser atendido"]);
}

#[test]
fn quem_nunca_esgota_nao_prende_o_avaliador() {
    let Some(laudo) = aluno("sempre_vende.py", BREVE) else { return };
    assert_eq!(laudo.pontos()[1], 0.0, "{}", laudo.fim.saida);
    assert!(laudo.viu().contains("vendeu a mais"), "{}", laudo.viu());
}

#[test]
fn as_palavras_em_minusculas_valem_metade() {
    let Some(laudo) = aluno("minusculas.py", BREVE) else { return };
    laudo.confere(
        [3.0, 4.0, 1.1, 1.0],
        SEM_LOG,
        &["o sentido é o de 'Estoque atual: 10', mas veio 'estoque atual: 10'"],
    );
}

#[test]
fn quem_diz_tudo_com_as_suas_palavras_perde_as_palavras_e_a_exclusao_se_julga() {
    let Some(laudo) = aluno("texto_errado.py", BREVE) else { return };
    let frases = [
        "esperava 'Estoque atual: 10', e veio 'Temos 10 em estoque'",
        "10 vendas em 1 rodada, nenhuma contradição",
    ];
    laudo.confere([3.0, 4.0, 0.2, 1.0], SEM_EXTRAS, &frases);
}

#[test]
fn a_compra_em_outras_palavras_tem_por_razao_o_que_veio_e_a_exclusao_se_julga() {
    let Some(laudo) = quase_certo("outras_palavras", BREVE) else { return };
    let frases = [
        "esperava 'Compra realizada. Estoque restante: 9', e veio 'Comprado! Restam 9'",
        "esperava 'ERRO: Produto esgotado', e veio 'Produto indisponivel'",
        "10 vendas em 1 rodada, nenhuma contradição",
    ];
    laudo.confere([3.0, 4.0, 0.8, 1.0], SEM_LOG, &frases);
}

#[test]
fn letra_por_letra_e_a_resposta_inteira() {
    let Some(laudo) = quase_certo("eco", BREVE) else { return };
    let frases = ["veio 'CONSULTAR: Estoque atual: 10'", "veio 'COMPRAR: ERRO: Produto esgotado'"];
    laudo.confere([3.0, 4.0, 1.1, 1.0], SEM_LOG, &frases);
    assert!(!laudo.viu().contains("em outras palavras"), "o AVISO é exato: {}", laudo.viu());
}

#[test]
fn a_hora_antes_do_aviso_nao_e_o_numero_da_venda() {
    let Some(laudo) = quase_certo("aviso_com_hora", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &["em outras palavras: '[14:05:09] AVISO: "]);
}

#[test]
fn abrir_com_cinco_custa_so_o_estoque_inicial() {
    let Some(laudo) = aluno("estoque_cinco.py", BREVE) else { return };
    laudo.confere([3.0, 4.0, 1.8, 1.0], SEM_LOG, &["leu 5", "5 vendas em 1 rodada, nenhuma"]);
}

#[test]
fn a_opcao_estoque_diz_com_quanto_abrir() {
    let servidor = Servidor::abrir(&["--estoque", "5"]);
    let endereco = servidor.endereco().to_string();
    let laudo = avaliar(&["--servidor", &endereco], "--compradores 12 --estoque 5");
    laudo.confere(TUDO, ["nao-avaliado", "cumprido"], &["leu 5"]);
}

#[test]
fn quem_atende_um_por_vez_perde_as_threads_e_nao_prova_a_exclusao() {
    let Some(laudo) = aluno("iterativo.py", "--rodadas 2 --compradores 12") else { return };
    let frases = [
        "nenhuma resposta em 3,00 s: um cliente bloqueia os outros",
        "1 atendido na pior rodada",
        "nunca houve dois clientes atendidos ao mesmo tempo",
    ];
    laudo.confere([0.0, 0.0, 2.0, 1.0], SEM_EXTRAS, &frases);
    assert_eq!(laudo.rodadas(), 1, "as outras dariam no mesmo");
}

#[test]
fn a_pausa_sem_trava_vende_a_mais_e_perde_toda_a_exclusao_mutua() {
    let Some(laudo) = aluno("pausa.py", FOLGADA) else { return };
    laudo.confere([3.0, 0.0, 2.0, 1.0], SEM_EXTRAS, &["vendeu a mais na única rodada"]);
}

#[test]
fn sem_a_trava_e_com_sorte_nada_aparece_e_sem_sorte_perde_toda_a_exclusao() {
    // Este depende da sorte: de fora, só se vê a falta da trava quando ela aparece. O que ele nunca tem
    // é um pedaço dos pontos por vender a mais.
    let Some(laudo) = aluno("sem_trava.py", FOLGADA) else { return };
    let [threads, exclusao, protocolo, robustez] = laudo.pontos();
    assert_eq!((threads, protocolo, robustez), (3.0, 2.0, 1.0), "{}", laudo.fim.saida);
    let viu = laudo.viu();
    let defeitos = ["vendeu a mais", "mesmo número a duas compras", "estoque negativo"];
    assert_eq!(exclusao == 0.0, defeitos.iter().any(|defeito| viu.contains(defeito)), "{viu}");
    assert_eq!(exclusao == 4.0, viu.contains("nenhuma contradição"), "{viu}");
    assert_eq!(laudo.extras(), SEM_EXTRAS);
}

#[test]
fn vender_a_mais_uma_vez_em_vinte_rodadas_custa_toda_a_exclusao_mutua() {
    let porta = porta_livre();
    let Some(comando) = abre("as_vezes.py", porta) else { return };
    let pasta = tempfile::tempdir().unwrap();
    // A décima segunda vez em que abre é uma das vinte disputas, qualquer que seja a conta das provas.
    let comando = format!("{comando} '{}' 12", pasta.path().join("vezes").display());
    let laudo = avaliar_comando(&comando, porta, "--rodadas 20 --compradores 2");
    laudo.confere([3.0, 0.0, 2.0, 1.0], SEM_LOG, &["em 1 de 20 rodadas (na pior, 11 vendas)"]);
    let erradas = laudo.json["rodadas"].as_array().unwrap().iter();
    assert_eq!(erradas.filter(|rodada| rodada["contradicoes"] != 0).count(), 1);
    assert!(laudo.fim.saida.contains("a mesma unidade vendida duas vezes"), "{}", laudo.fim.saida);
}

#[test]
fn recusar_com_estoque_contradiz_sem_vender_a_mais() {
    let Some(laudo) = aluno("recusa_cedo.py", FOLGADA) else { return };
    laudo.confere([3.0, 0.0, 2.0, 1.0], SEM_LOG, &["na única rodada, sem vender a mais: "]);
}

#[test]
fn contar_errado_custa_a_exclusao_e_a_compra() {
    let Some(laudo) = aluno("conta_errado.py", BREVE) else { return };
    let frases = ["deixou o estoque negativo", "os números não batem"];
    laudo.confere([3.0, 0.0, 1.4, 1.0], SEM_LOG, &frases);
}

#[test]
fn cair_com_um_reset_custa_toda_a_robustez() {
    let Some(laudo) = aluno("morre_no_reset.py", BREVE) else { return };
    let frases = ["o servidor terminou", "não sobrevive a outra prova"];
    laudo.confere([3.0, 4.0, 2.0, 0.0], SEM_LOG, &frases);
}

#[test]
fn cair_com_bytes_que_nao_sao_texto_custa_toda_a_robustez() {
    let Some(laudo) = aluno("morre_no_lixo.py", BREVE) else { return };
    laudo.confere([3.0, 4.0, 2.0, 0.0], SEM_LOG, &["o servidor terminou"]);
}

#[test]
fn deixar_compras_sem_resposta_custa_a_parte_delas() {
    let Some(python) = python() else { return };
    // Na recusa, em vez de responder, volta a ouvir.
    let calar = "pass";
    let Some((_pasta, caminho)) =
        variante("em_dois_envios.py", "responder(conexao, \"ERRO: Produto esgotado\")", calar)
    else {
        return;
    };
    let porta = porta_livre();
    let laudo = avaliar_comando(&format!("exec '{python}' '{caminho}' {porta}"), porta, BREVE);
    let exclusao = laudo.pontos()[1];
    assert!(exclusao > 0.0 && exclusao < 4.0, "{}", laudo.fim.saida);
    assert!(laudo.viu().contains("compras ficaram sem resposta"), "{}", laudo.viu());
}

#[test]
fn sem_terminal_de_controle_a_avaliacao_nao_morre_com_o_do_servidor() {
    let porta = porta_livre();
    let servidor = format!("exec '{}' --porta {porta}", binario("servidor").display());
    let mut setsid = Command::new("setsid");
    setsid.arg("--wait").arg(binario("cliente"));
    setsid.args(["avaliar", "--iniciar", &servidor, "--porta", &porta.to_string()]);
    setsid.args(BREVE.split(' '));
    setsid.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let fim = Processo::iniciar(setsid).termino_em(PRAZO_DA_AVALIACAO);
    assert_eq!(fim.codigo, Some(0), "{fim:?}");
}

#[test]
fn o_aviso_que_nem_comeca_por_aviso_tambem_vale() {
    let Some(python) = python() else { return };
    let Some((_pasta, caminho)) =
        variante("por_linhas.py", "AVISO: O estoque acabou de esgotar!", "Pessoal, acabou!")
    else {
        return;
    };
    let porta = porta_livre();
    let laudo = avaliar_comando(&format!("exec '{python}' '{caminho}' {porta}"), porta, BREVE);
    laudo.confere(TUDO, SEM_LOG, &["em outras palavras: 'Pessoal, acabou!'"]);
}
