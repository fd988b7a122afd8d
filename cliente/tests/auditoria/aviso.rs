//! O AVISO: a quem ele é devido, e quando.

use cliente::auditoria::regra::{Aviso, Regra};
use cliente::auditoria::veredito::Estoque;
use cliente::auditoria::violacao::{Leitura, Origem};
use cliente::auditoria::{ESPERA_DO_AVISO, TOLERANCIA_DO_AVISO, auditar, visitas};
use cliente::conversa::desfecho::Desfecho::{self, Comprou, Leu, Recusado};
use cliente::historia::vivido::{Conexao, Historia, Qual};

use crate::exemplos::*;

/// Quem leva a última unidade, de 2000 a 2010.
fn ultimo_comprador() -> Historia {
    historia(1, vec![operacao(0, 1, Leu(1)), operacao(2000, 2010, Comprou(0))], &[2015])
}

/// Quem já ouviu uma resposta e está lá.
fn presente(avisos: &[u64]) -> Historia {
    historia(2, vec![operacao(0, 1, Leu(1))], avisos)
}

const ULTIMA: fn() -> Leitura = || leitura(1, 2000, 2010, Origem::Venda, 0);

#[test]
fn o_aviso_chega_uma_vez_a_cada_conexao() {
    passa(&[ultimo_comprador(), presente(&[2008])], None);
    acusa(
        &[ultimo_comprador(), presente(&[2008, 2009, 2010])],
        None,
        Regra::AvisoRepetido,
        2009,
        &[leitura(2, 0, 2008, Origem::Aviso, 0), leitura(2, 0, 2009, Origem::Aviso, 0)],
    );
    // Em conexões diferentes, cada uma tem o seu.
    let mut dois = presente(&[2008]);
    dois.conexoes.push(Conexao { numero: 2, avisos: vec![ms(2009)], ..Conexao::default() });
    passa(&[ultimo_comprador(), dois], None);
    // Sem que se saiba de venda alguma, dois ainda são demais.
    let texto = violacao(&[historia(2, vec![], &[5, 6])]);
    assert_eq!(
        texto,
        "AVISO repetido: o usuário 2 recebeu o AVISO aos 0,005000 s, e de novo, na mesma conexão: \
         o usuário 2 recebeu o AVISO aos 0,006000 s"
    );
}

#[test]
fn quem_estava_la_e_ficou_deve_ouvir_o_aviso() {
    let limite = 3010;
    let com = |mudar: &dyn Fn(&mut Conexao)| {
        let mut ouvinte = presente(&[]);
        mudar(&mut ouvinte.conexoes[0]);
        [ultimo_comprador(), ouvinte]
    };
    let perdido = |fim| [leitura(2, 0, fim, Origem::Silencio, 0), ULTIMA()];
    acusa(&com(&|_| {}), None, Regra::AvisoPerdido, limite, &perdido(100_000));
    acusa(&com(&|p| p.fechou = None), None, Regra::AvisoPerdido, limite, &perdido(limite));
    let logo_depois = com(&|p| p.fechou = Some(ms(limite + 1)));
    acusa(&logo_depois, None, Regra::AvisoPerdido, limite, &perdido(limite + 1));
    passa(&com(&|p| p.fechou = Some(ms(limite))), None);
    // O servidor pode ainda não conhecer a conexão quando a última unidade saiu.
    let conhecida = com(&|p| p.respondida = Some(ms(1999)));
    acusa(&conhecida, None, Regra::AvisoPerdido, limite, &perdido(100_000));
    passa(&com(&|p| p.respondida = Some(ms(2000))), None);
    passa(&com(&|p| p.respondida = None), None);
    // Com outras palavras, na hora certa; um aviso de antes é de outra coisa.
    passa(&com(&|p| p.outros_avisos = vec![ms(2000)]), None);
    passa(&com(&|p| p.outros_avisos = vec![ms(5), ms(2011)]), None);
    let de_outra_coisa = com(&|p| p.outros_avisos = vec![ms(1999)]);
    acusa(&de_outra_coisa, None, Regra::AvisoPerdido, limite, &perdido(100_000));
    assert_eq!(TOLERANCIA_DO_AVISO, ms(1000));
}

#[test]
fn quem_perdeu_o_aviso_tem_a_frase_com_o_tempo_em_que_esteve_conectado() {
    let mut ouvinte = presente(&[]);
    ouvinte.conexoes[0].conectou = ms(1);
    assert_eq!(
        violacao(&[ultimo_comprador(), ouvinte]),
        "AVISO perdido: o usuário 2, conectado de 0,001000 s a 100,000000 s, nada recebeu, e \
         o usuário 1 comprou e restaram 0 aos 2,010000 s"
    );
}

#[test]
fn o_comprador_da_ultima_unidade_tambem_ouve() {
    let mut comprador = ultimo_comprador();
    comprador.conexoes[0].avisos.clear();
    acusa(
        &[comprador],
        None,
        Regra::AvisoPerdido,
        3010,
        &[leitura(1, 0, 100_000, Origem::Silencio, 0), ULTIMA()],
    );
}

#[test]
fn o_aviso_nao_chega_a_quem_so_conectou_depois() {
    let atrasado = |pediu| {
        let mut historia = historia(3, vec![operacao(4000, 4001, Leu(0))], &[4002]);
        historia.conexoes[0].pediu = ms(pediu);
        [ultimo_comprador(), historia]
    };
    acusa(
        &atrasado(3011),
        None,
        Regra::AvisoAQuemChegouDepois,
        4002,
        &[leitura(3, 0, 4002, Origem::Aviso, 0), ULTIMA()],
    );
    assert_eq!(
        violacao(&atrasado(3011)),
        "AVISO a quem chegou depois: o usuário 3 recebeu o AVISO aos 4,002000 s, e só conectou depois que \
         o usuário 1 comprou e restaram 0 aos 2,010000 s"
    );
    // Pouco depois, pode tê-lo pego enquanto saía.
    passa(&atrasado(3010), None);
}

#[test]
fn aviso_antes_da_hora() {
    let historias = [
        historia(1, vec![operacao(0, 1, Leu(2))], &[1]),
        historia(2, vec![operacao(2, 3, Comprou(1))], &[]),
    ];
    assert_eq!(
        violacao(&historias),
        "AVISO antes da hora: o usuário 1 recebeu o AVISO aos 0,001000 s, e depois disso o usuário 2 \
         comprou e restaram 1 aos 0,003000 s"
    );
    acusa(
        &historias,
        None,
        Regra::AvisoAdiantado,
        3,
        &[leitura(1, 0, 1, Origem::Aviso, 0), leitura(2, 2, 3, Origem::Venda, 1)],
    );
    // Enquanto a última venda está em curso, já pode ser a hora.
    passa(&[historia(1, vec![], &[2]), so(2, 2, 3, Comprou(0))], None);
}

#[test]
fn o_aviso_errado_nao_diz_que_o_estoque_esta_errado() {
    let sem_aviso = [ultimo_comprador(), presente(&[])];
    let duas_vezes = [ultimo_comprador(), presente(&[2011, 2012])];
    let antes = [ultimo_comprador(), presente(&[1999])];
    for (historias, aviso) in
        [(sem_aviso, Aviso::Faltou), (duas_vezes, Aviso::Repetido), (antes, Aviso::Adiantado)]
    {
        let veredito = auditar(&historias, None);
        assert_eq!((veredito.estoque(), veredito.aviso()), (Estoque::Consistente, aviso));
        assert_eq!(veredito.frase_do_estoque(), "CONSISTENTE");
        let frase = veredito.frase_do_aviso();
        assert!(frase.starts_with(&format!("{}: AVISO ", aviso.palavras())), "{frase}");
    }
    // E o estoque errado não diz nada do AVISO.
    let repetida = [ultimo_comprador(), so(9, 2000, 2010, Comprou(0)), presente(&[2011])];
    let veredito = auditar(&repetida, None);
    assert_eq!((veredito.estoque(), veredito.aviso()), (Estoque::Inconsistente, Aviso::Certo));
    assert!(!veredito.frase_do_estoque().contains("e mais"), "{}", veredito.frase_do_estoque());
}

#[test]
fn o_aviso_que_demora_e_atraso_e_nao_perda() {
    let ouviu_aos = |comprador: u64, outro: u64| {
        let mut historias = [ultimo_comprador(), presente(&[outro])];
        historias[0].conexoes[0].avisos = vec![ms(comprador)];
        historias
    };
    let depois = ms(1500);
    acusa(
        &ouviu_aos(3510, 3520),
        None,
        Regra::AvisoAtrasado { depois },
        3510,
        &[leitura(1, 0, 3510, Origem::Aviso, 0), ULTIMA()],
    );
    assert!(violacao(&ouviu_aos(3510, 3520)).starts_with("AVISO atrasado, chegou 1,50 s depois: "));
    passa(&ouviu_aos(3010, 3010), None);
    // Se o primeiro chegou na hora, os outros podem ter esperado o processador: só se observa.
    let devagar = auditar(&ouviu_aos(2015, 3510), None);
    assert_eq!(devagar.aviso(), Aviso::Certo);
    assert_eq!(devagar.observacoes, ["o AVISO levou 1,50 s para chegar a todos"]);
    // Mas não por mais que a espera.
    let depois = ESPERA_DO_AVISO + ms(1);
    acusa(
        &ouviu_aos(2015, 5011),
        None,
        Regra::AvisoAtrasado { depois },
        5011,
        &[leitura(2, 0, 5011, Origem::Aviso, 0), ULTIMA()],
    );
    // Quem foi embora enquanto ele ainda chegava a outros não o perdeu.
    let mut cedo = presente(&[]);
    cedo.conexoes[0].fechou = Some(ms(3300));
    let [comprador, outro] = ouviu_aos(3510, 3520);
    let regras = auditar(&[comprador, outro, cedo], None).violacoes;
    assert_eq!(regras.iter().map(|v| v.regra.nome()).collect::<Vec<_>>(), ["aviso-atrasado"]);
}

#[test]
fn so_se_visita_depois_da_tolerancia_e_se_ninguem_ja_o_fez() {
    let mut historias = vec![ultimo_comprador(), presente(&[2011])];
    assert_eq!(visitas(&historias), [(Qual::default(), ms(3011))]);
    let mut depois = historia(3, vec![operacao(4000, 4001, Leu(0))], &[]);
    depois.conexoes[0].pediu = ms(3011);
    historias.push(depois);
    assert_eq!(visitas(&historias), [], "já houve quem chegasse depois");
    let mut sem_aviso = [ultimo_comprador(), presente(&[])];
    sem_aviso[0].conexoes[0].avisos.clear();
    assert_eq!(visitas(&sem_aviso), [], "faltou: já se sabe");
    assert_eq!(visitas(&[so(1, 0, 1, Leu(5))]), [], "não esgotou");
}

#[test]
fn o_que_nao_se_pode_julgar_do_aviso_e_dito() {
    let porque = |historias: &[Historia]| {
        let veredito = auditar(historias, None);
        assert_eq!(veredito.aviso(), Aviso::NaoJulgado);
        veredito.ouviram.unwrap_err().to_string()
    };
    let sobrou = [so(1, 0, 1, Leu(5)), so(2, 2, 3, Comprou(4))];
    assert_eq!(porque(&sobrou), "o estoque não chegou a esgotar");
    let vazio = [so(1, 0, 1, Leu(0)), so(2, 2, 3, Recusado)];
    assert_eq!(porque(&vazio), "o estoque já estava esgotado quando a multidão chegou");
    let mut foi_embora = presente(&[]);
    foi_embora.conexoes[0].fechou = Some(ms(3000));
    let ninguem = [so(1, 2000, 2010, Comprou(0)), foi_embora];
    assert!(porque(&ninguem).starts_with("ninguém que já conversava"), "{}", porque(&ninguem));
    let mut outras_palavras = presente(&[]);
    outras_palavras.conexoes[0].outros_avisos = vec![ms(2011)];
    let historias = [so(1, 2000, 2010, Comprou(0)), outras_palavras];
    assert_eq!(porque(&historias), "chegou algo em outras palavras, que não se reconhecem");
}

#[test]
fn o_aviso_e_devido_mesmo_se_a_multidao_nao_viu_a_ultima_venda() {
    // O usuário 1 leu 1 de 500 a 501; o 3 ouviu que esgotou de 600 a 605: nesse meio-tempo, acabou.
    let historias = |avisos: &[u64]| {
        let duvida = historia(4, vec![sem_resposta(505)], &[]);
        let mut recusado = so(3, 600, 605, Recusado);
        recusado.conexoes[0].respondida = Some(ms(605));
        [so_avisado(1, 500, 501, Leu(1)), presente(avisos), recusado, duvida]
    };
    let mut perdeu = historias(&[]);
    perdeu[0].conexoes[0].respondida = Some(ms(501));
    for estoque in [None, Some(1)] {
        acusa(
            &perdeu,
            estoque,
            Regra::AvisoPerdido,
            1540,
            &[leitura(2, 0, 100_000, Origem::Silencio, 0), leitura(1, 0, 540, Origem::Aviso, 0)],
        );
        passa(&historias(&[560]), estoque);
    }
    // Quem só foi conhecido depois de a última unidade ser vista pode ter chegado tarde.
    perdeu[1].conexoes[0].respondida = Some(ms(500));
    passa(&perdeu, None);
    perdeu[1].conexoes[0].respondida = Some(ms(1));
    perdeu[1].conexoes[0].fechou = Some(ms(1540));
    passa(&perdeu, None);
}

/// Como [`so`], e ouviu o AVISO aos 540.
fn so_avisado(usuario: usize, enviada: u64, chegou: u64, desfecho: Desfecho) -> Historia {
    historia(usuario, vec![operacao(enviada, chegou, desfecho)], &[540])
}

#[test]
fn o_aviso_atrasado_se_ve_mesmo_sem_a_ultima_venda() {
    let atrasado = |pediu| {
        let mut historia = historia(3, vec![], &[4002]);
        historia.conexoes[0].pediu = ms(pediu);
        [so(1, 500, 505, Recusado), historia]
    };
    acusa(
        &atrasado(1506),
        None,
        Regra::AvisoAQuemChegouDepois,
        4002,
        &[leitura(3, 0, 4002, Origem::Aviso, 0), leitura(1, 500, 505, Origem::Recusa, 0)],
    );
    passa(&atrasado(1505), None);
}

#[test]
fn sem_esgotamento_ninguem_deve_o_aviso() {
    // Sobrou; ou já estava vazio quando a multidão chegou.
    passa(&[so(1, 0, 1, Leu(5)), so(2, 2, 3, Comprou(4))], Some(5));
    for estoque in [None, Some(0)] {
        passa(&[so(1, 0, 1, Leu(0)), so(2, 2000, 2001, Recusado)], estoque);
    }
}

#[test]
fn com_o_contador_quebrado_o_aviso_perdido_se_conta_do_primeiro_zero() {
    // Zero aos 10, e depois ainda se leu 3: quem só chegou no meio não devia nada.
    let mut do_meio = so(2, 100, 110, Leu(0));
    do_meio.conexoes[0].respondida = Some(ms(110));
    let historias = [so(1, 5, 10, Leu(0)), so(3, 200, 201, Leu(3)), do_meio];
    let regras: Vec<Regra> = auditar(&historias, None).violacoes.iter().map(|v| v.regra).collect();
    assert_eq!(regras, [Regra::EstoqueSubiu]);
}
