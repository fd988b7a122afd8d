//! Os servidores que acertam: os nossos, e os dos alunos, cada um a seu modo.

use super::*;

#[test]
fn o_nosso_servidor_tem_dez_e_os_dois_extras() {
    let porta = porta_livre();
    let comando = format!("exec '{}' --porta {porta}", binario("servidor").display());
    let laudo = avaliar_comando(&comando, porta, "--rodadas 3");
    laudo.confere(TUDO, ["cumprido", "cumprido"], &["30 vendas em 3 rodadas", "50 atendidos"]);
    assert_eq!(laudo.nota(), 10.0);
    assert_eq!(laudo.rodadas(), 3);
    assert!(
        laudo.fim.saida.ends_with("Nota: 10,0 de 10,0, sem os extras\n"),
        "{}",
        laudo.fim.saida
    );
}

#[test]
fn o_classico_com_a_trava_tem_dez_e_avisa_a_todos() {
    let porta = porta_livre();
    let programa = binario("examples/thread_por_conexao");
    let comando = format!("exec '{}' --porta {porta}", programa.display());
    let laudo = avaliar_comando(&comando, porta, BREVE);
    assert_eq!((laudo.nota(), laudo.extras()[1]), (10.0, "cumprido"), "{}", laudo.fim.saida);
}

#[test]
fn o_classico_sem_a_trava_perde_toda_a_exclusao_mutua() {
    let porta = porta_livre();
    let programa = binario("examples/thread_por_conexao");
    let comando = format!("exec '{}' --porta {porta} --sem-trava --pausa 5ms", programa.display());
    let laudo = avaliar_comando(&comando, porta, FOLGADA);
    assert_eq!(laudo.pontos(), [3.0, 0.0, 2.0, 1.0], "{}", laudo.fim.saida);
    assert!(laudo.viu().contains("vendeu a mais"), "{}", laudo.viu());
}

#[test]
fn o_laco_que_divide_a_venda_em_dois_turnos_perde_toda_a_exclusao_mutua() {
    let porta = porta_livre();
    let programa = binario("examples/laco_em_dois_turnos");
    let comando = format!("exec '{}' --porta {porta}", programa.display());
    // Um turno em que só coube um comprador pode acontecer; em cinco rodadas seguidas, não.
    let laudo = avaliar_comando(&comando, porta, "--rodadas 5 --compradores 30");
    assert_eq!(laudo.pontos()[1], 0.0, "{}", laudo.fim.saida);
    assert!(
        laudo.fim.saida.contains("A primeira contradição da pior rodada"),
        "{}",
        laudo.fim.saida
    );
}

// Os alunos que acertam, cada um a seu modo.

#[test]
fn o_aluno_certo_tem_dez_e_os_dois_extras() {
    let Some(laudo) = aluno("correto.py", BREVE) else { return };
    laudo.confere(TUDO, ["cumprido", "cumprido"], &["com hora, IP e porta", "chegou a 12 de 12"]);
}

#[test]
fn o_minimo_sem_fim_de_linha_tem_dez_sem_os_extras() {
    let Some(laudo) = aluno("basico.py", BREVE) else { return };
    let frases =
        ["não chegou a ninguém", "1 linha com o IP e a porta do cliente, para 13 comandos"];
    laudo.confere(TUDO, SEM_EXTRAS, &frases);
}

#[test]
fn cada_recv_um_comando_sem_tirar_o_fim_de_linha_tem_dez() {
    let Some(laudo) = aluno("recv_exato.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &["'Estoque atual: 10', letra por letra"]);
}

#[test]
fn quem_le_por_linhas_tem_dez() {
    let Some(laudo) = aluno("por_linhas.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &["chegou a 12 de 12"]);
}

#[test]
fn quem_responde_e_avisa_com_a_trava_na_mao_ainda_esta_certo() {
    let Some(laudo) = aluno("broadcast_preso.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &[]);
}

#[test]
fn o_aviso_em_outras_palavras_vale() {
    let Some(laudo) = aluno("aviso_com_outras_palavras.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_LOG, &["em outras palavras: 'AVISO: O estoque esgotou'"]);
}

#[test]
fn o_aviso_so_ao_comprador_nao_e_um_broadcast() {
    let Some(laudo) = aluno("aviso_so_ao_comprador.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_EXTRAS, &["só chegou a quem comprou a última unidade"]);
}

#[test]
fn o_aviso_repetido_custa_so_o_extra() {
    let Some(python) = python() else { return };
    let repetido = r"esgotar!\nAVISO: O estoque acabou de esgotar!\n";
    let Some((_pasta, caminho)) = variante("por_linhas.py", r"esgotar!\n", repetido) else {
        return;
    };
    let porta = porta_livre();
    let laudo = avaliar_comando(&format!("exec '{python}' '{caminho}' {porta}"), porta, BREVE);
    laudo.confere(TUDO, ["nao-cumprido", "em-parte"], &["mais de uma vez"]);
}

#[test]
fn sem_reuseaddr_tambem_se_avalia() {
    // O prazo é o do teste: se cada abertura esperasse a porta sair do TIME_WAIT, não caberia nele.
    let Some(laudo) = aluno("sem_reuse.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_EXTRAS, &[]);
}

#[test]
fn quem_manda_o_texto_e_o_numero_em_dois_envios_tem_dez() {
    let Some(laudo) = aluno("em_dois_envios.py", BREVE) else { return };
    laudo.confere(TUDO, SEM_EXTRAS, &["'Compra realizada. Estoque restante: 9', letra por letra"]);
}

#[test]
fn o_aviso_antes_da_hora_custa_so_o_extra() {
    let Some(python) = python() else { return };
    // Com a trava na mão: senão outra thread podia vender o resto antes de o AVISO sair desta.
    let cedo = "estoque -= 1
                if estoque == 3:
                    avisar_todos()
                    globals()['avisar_todos'] = lambda: None";
    let Some((_pasta, caminho)) = variante("por_linhas.py", "estoque -= 1", cedo) else { return };
    let porta = porta_livre();
    // Dois compram muitas vezes cada um: há compras que começam depois do AVISO.
    let dois = "--rodadas 1 --compradores 2";
    let laudo = avaliar_comando(&format!("exec '{python}' '{caminho}' {porta}"), porta, dois);
    laudo.confere(TUDO, ["nao-cumprido", "em-parte"], &["AVISO antes da hora"]);
}
