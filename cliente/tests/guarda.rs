//! A guarda por fora: a memória tem teto, guardar menos não muda o veredito, e o CSV tem tudo.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cliente::auditoria::auditar;
use cliente::conversa::desfecho::Desfecho::{self, Comprou, Estranho, Leu, Recusado};
use cliente::historia::guarda::{COLUNAS, Conteudo, GUARDADAS_MAXIMAS, Guarda, LOTE, PRIMEIRAS};
use cliente::historia::vivido::{Conexao, Historia, Operacao, Pedido, Qual};
use proptest::prelude::*;
use protocolo::Id;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn operacao(enviada: u64, chegou: u64, desfecho: Desfecho) -> Operacao {
    let compra = !matches!(desfecho, Leu(_));
    let resposta = Some((ms(chegou), desfecho));
    Operacao { conexao: 1, compra, enviada: ms(enviada), resposta, ..Operacao::default() }
}

/// Uma operação atrás da outra, uma por milissegundo.
fn seguidas(desfechos: impl IntoIterator<Item = Desfecho>) -> Vec<Operacao> {
    let uma = |(n, desfecho)| operacao(n, n + 1, desfecho);
    (0..).step_by(2).zip(desfechos).map(uma).collect()
}

fn historia(usuario: usize, operacoes: Vec<Operacao>) -> Historia {
    Historia { usuario, operacoes, ..Historia::default() }
}

/// As primeiras de um usuário, que ficam todas.
fn primeiras() -> Vec<Operacao> {
    seguidas(vec![Leu(9); PRIMEIRAS])
}

/// O que a guarda de um usuário só guarda destas operações, depois das primeiras.
fn guardadas(operacoes: &[Operacao]) -> Vec<Operacao> {
    let mut guarda = Guarda::nova(1, GUARDADAS_MAXIMAS, &[], None);
    guarda.receber(1, primeiras());
    guarda.receber(1, operacoes.to_vec());
    let historia = guarda.concluir(vec![historia(1, vec![])]).historias.remove(0);
    assert_eq!(historia.operacoes[..PRIMEIRAS], primeiras());
    assert_eq!(historia.resumida, historia.operacoes.len() > PRIMEIRAS);
    historia.operacoes[PRIMEIRAS..].to_vec()
}

// ---------------------------------------------------------------------------------------------
// A memória.

#[test]
fn um_milhao_de_operacoes_depois_do_esgotamento_deixa_poucas_e_as_contas_de_todas() {
    let mut guarda = Guarda::nova(1, GUARDADAS_MAXIMAS, &[], None);
    let todas = 1_000_000;
    let uma =
        |n: u64| operacao(3 * n, 3 * n + 2, if n.is_multiple_of(2) { Leu(0) } else { Recusado });
    let mut proxima = 0;
    while proxima < todas {
        let ate = todas.min(proxima + LOTE as u64);
        guarda.receber(1, (proxima..ate).map(uma).collect());
        proxima = ate;
    }
    let Conteudo { historias, medidas, perdidas, csv } = guarda.concluir(vec![historia(1, vec![])]);
    let ficam = (0..PRIMEIRAS as u64 + 2).chain([todas - 2, todas - 1]).map(uma);
    assert_eq!(historias[0].operacoes, ficam.collect::<Vec<_>>());
    assert_eq!((medidas.consultas, medidas.vendas, medidas.recusas), (500_000, 0, 500_000));
    assert_eq!((medidas.consultar.amostras(), medidas.comprar.amostras()), (500_000, 500_000));
    assert_eq!(medidas.vazao.fatias.iter().sum::<u64>(), todas);
    assert_eq!(perdidas, 0);
    assert!(csv.is_ok());
}

#[test]
fn de_leituras_iguais_e_seguidas_fica_a_primeira_e_a_ultima() {
    for desfecho in [Leu(5), Leu(-3), Recusado] {
        let todas = seguidas(vec![desfecho; 6]);
        assert_eq!(guardadas(&todas), [todas[0].clone(), todas[5].clone()]);
        assert_eq!(guardadas(&todas[..2]), todas[..2]);
    }
}

#[test]
fn cada_valor_lido_deixa_duas() {
    let todas = seguidas([Leu(5), Leu(5), Leu(5), Leu(4), Leu(4), Leu(4), Leu(5), Leu(5), Leu(5)]);
    let ficam: Vec<Operacao> = [0, 2, 3, 5, 6, 8].map(|n: usize| todas[n].clone()).to_vec();
    assert_eq!(guardadas(&todas), ficam);
}

#[test]
fn o_que_nao_se_repete_fica_inteiro() {
    let todas = seguidas([Leu(5), Leu(4), Leu(5), Leu(4), Leu(5), Leu(4)]);
    assert_eq!(guardadas(&todas), todas);
    // Uma recusa e uma consulta que lê zero não dizem o mesmo, nem são do mesmo pedido.
    let todas = seguidas([Leu(0), Recusado, Leu(0), Recusado]);
    assert_eq!(guardadas(&todas), todas);
}

#[test]
fn vendas_e_duvidas_nunca_se_juntam() {
    let estranha = || Estranho("?".into());
    let todas = seguidas([Comprou(4), Comprou(4), Comprou(4), estranha(), estranha(), estranha()]);
    assert_eq!(guardadas(&todas), todas);
    let mut todas = seguidas(vec![Recusado; 4]);
    todas.iter_mut().for_each(|operacao| operacao.resposta = None);
    assert_eq!(guardadas(&todas), todas);
}

#[test]
fn uma_consulta_que_nao_se_entende_so_entra_nas_contas() {
    let mut consultas = seguidas(vec![Leu(5); 4]);
    consultas[1].resposta = None;
    consultas[2].resposta = Some((ms(5), Estranho("?".into())));
    assert_eq!(guardadas(&consultas), [consultas[0].clone(), consultas[3].clone()]);
}

#[test]
fn uma_venda_entre_recusas_separa_as_de_antes_das_de_depois() {
    let todas = seguidas([Recusado, Recusado, Recusado, Comprou(2), Recusado, Recusado, Recusado]);
    let ficam: Vec<Operacao> = [0, 2, 3, 4, 6].map(|n: usize| todas[n].clone()).to_vec();
    assert_eq!(guardadas(&todas), ficam);
}

#[test]
fn cada_usuario_tem_as_suas() {
    let mut guarda = Guarda::nova(2, GUARDADAS_MAXIMAS, &[], None);
    for operacao in primeiras().into_iter().chain(seguidas(vec![Leu(5); 4])) {
        guarda.receber(1, vec![operacao.clone()]);
        guarda.receber(2, vec![operacao]);
    }
    let conteudo = guarda.concluir(vec![historia(2, vec![]), historia(1, vec![])]);
    assert_eq!(conteudo.historias.iter().map(|h| h.usuario).collect::<Vec<_>>(), [2, 1]);
    assert!(conteudo.historias.iter().all(|h| h.operacoes.len() == PRIMEIRAS + 2));
    assert_eq!(conteudo.medidas.consultas, 2 * (PRIMEIRAS as u64 + 4));
}

#[test]
fn o_fim_da_historia_vem_depois_do_que_ja_foi_entregue_e_fica_inteiro() {
    let todas = seguidas(vec![Leu(5); 8]);
    let mut guarda = Guarda::nova(1, GUARDADAS_MAXIMAS, &[], None);
    guarda.receber(1, primeiras());
    guarda.receber(1, todas[..4].to_vec());
    let conteudo = guarda.concluir(vec![historia(1, todas[4..].to_vec())]);
    let ficam: Vec<Operacao> = [0, 3, 4, 5, 6, 7].map(|n: usize| todas[n].clone()).to_vec();
    assert_eq!(conteudo.historias[0].operacoes[PRIMEIRAS..], ficam);
    assert_eq!(conteudo.medidas.consultas, PRIMEIRAS as u64 + 8);
}

#[test]
fn um_usuario_que_nao_existe_entra_nas_contas_e_nada_mais() {
    let mut guarda = Guarda::nova(1, GUARDADAS_MAXIMAS, &[], None);
    guarda.receber(0, seguidas([Leu(5)]));
    guarda.receber(2, seguidas([Comprou(4)]));
    let conteudo = guarda.concluir(vec![
        historia(0, seguidas([Recusado])),
        historia(1, vec![]),
        historia(2, seguidas([Recusado])),
    ]);
    let quantas: Vec<usize> = conteudo.historias.iter().map(|h| h.operacoes.len()).collect();
    assert_eq!(quantas, [1, 0, 1]);
    let medidas = conteudo.medidas;
    assert_eq!((medidas.consultas, medidas.vendas, medidas.recusas), (1, 1, 2));
    assert_eq!(conteudo.perdidas, 0);
}

#[test]
fn as_que_nao_cabem_sao_contadas_e_nao_guardadas() {
    let (usuarios, por_usuario) = (10, 100);
    let mut guarda = Guarda::nova(usuarios, usuarios * por_usuario, &[], None);
    let vendas = vec![operacao(0, 1, Comprou(7)); por_usuario];
    for usuario in 1..=usuarios {
        guarda.receber(usuario, vendas.clone());
    }
    // Cheio: destas, só cabe a que toma o lugar de outra, e nenhuma toma o de uma venda.
    guarda.receber(3, vendas[..5].to_vec());
    let conteudo = guarda.concluir((1..=usuarios).map(|n| historia(n, vec![])).collect());
    assert_eq!(conteudo.perdidas, 5);
    assert!(conteudo.historias.iter().all(|h| h.operacoes.len() == por_usuario));
    assert_eq!(conteudo.medidas.vendas, 1005);
}

// ---------------------------------------------------------------------------------------------
// Guardar menos não muda o veredito.

/// O que cada um faz: quem, o que pede, quanto espera, e de quanto antes a quanto depois.
type Feito = (usize, u8, u64, u64, u64);

const USUARIOS: usize = 3;

/// As histórias de um contador certo, com muitas leituras iguais. Em `troca`, uma resposta qualquer
/// sai trocada: quase sempre uma contradição.
fn viver(inicial: i128, feitos: &[Feito], troca: Option<(usize, i128)>) -> Vec<Historia> {
    let mut historias: Vec<Historia> = (1..=USUARIOS).map(|n| historia(n, vec![])).collect();
    let mut livre = [0; USUARIOS];
    let (mut contador, mut agora) = (inicial, 50);
    let mut esgotou = None;
    for (indice, (quem, que, passo, antes, depois)) in feitos.iter().copied().enumerate() {
        // Um usuário só pede depois de ouvir.
        agora = livre[quem].max(agora + passo);
        let enviada = livre[quem].max(agora - antes);
        livre[quem] = agora + depois;
        let desfecho = match que {
            0..4 => Leu(contador),
            4 => Estranho("?".into()),
            _ if contador == 0 => Recusado,
            _ => {
                contador -= 1;
                esgotou = esgotou.or((contador == 0).then_some(agora));
                Comprou(contador)
            }
        };
        let desfecho = match (desfecho, troca.filter(|(qual, _)| *qual == indice)) {
            (Leu(_), Some((_, valor))) => Leu(valor),
            (Comprou(_) | Recusado, Some((_, valor))) => Comprou(valor),
            (certo, _) => certo,
        };
        let compra = que >= 4;
        let resposta = (que != 9).then_some((ms(livre[quem]), desfecho));
        let operacao =
            Operacao { conexao: 1, compra, enviada: ms(enviada), resposta, ..Operacao::default() };
        historias[quem].operacoes.push(operacao);
    }
    for historia in &mut historias {
        let respostas = historia.operacoes.iter().filter_map(|o| o.resposta.as_ref());
        let respondida = respostas.map(|(quando, _)| *quando).min();
        let avisos = esgotou.map(|quando| ms(quando + 1)).into_iter().collect();
        historia.conexoes.push(Conexao { numero: 1, respondida, avisos, ..Conexao::default() });
    }
    historias
}

/// Se há contradição sobre o estoque, e se há sobre o AVISO. Qual regra a mostra pode mudar: entre duas
/// leituras iguais, tanto faz a testemunha.
fn violadas(historias: &[Historia], estoque: Option<u64>) -> (bool, bool) {
    let violacoes = auditar(historias, estoque).violacoes;
    let alguma = |do_estoque| violacoes.iter().any(|v| v.regra.do_estoque() == do_estoque);
    (alguma(true), alguma(false))
}

/// Passa as histórias pela guarda, em lotes destes tamanhos; o que sobra fica com cada uma.
fn arquivar(historias: &[Historia], lotes: &[usize], csv: Option<Saida>) -> Conteudo {
    let mut guarda =
        Guarda::nova(historias.len(), GUARDADAS_MAXIMAS, &[], csv.map(|csv| Box::new(csv) as _));
    let mut historias = historias.to_vec();
    for lote in lotes {
        for historia in &mut historias {
            let quantas = (*lote).min(historia.operacoes.len());
            guarda.receber(historia.usuario, historia.operacoes.drain(..quantas).collect());
        }
    }
    guarda.concluir(historias)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn guardar_menos_nao_muda_o_veredito(
        inicial in 0u64..5,
        feitos in prop::collection::vec((0..USUARIOS, 0u8..10, 0u64..4, 0u64..20, 0u64..20), 0..80),
        troca in prop::option::of((0usize..80, -1i128..6)),
        lotes in prop::collection::vec(0usize..12, 0..12),
    ) {
        let historias = viver(i128::from(inicial), &feitos, troca);
        let saida = Saida::default();
        let escrito = saida.escrito.clone();
        let conteudo = arquivar(&historias, &lotes, Some(saida));
        for estoque in [None, Some(inicial)] {
            let (antes, depois) = (violadas(&historias, estoque), violadas(&conteudo.historias, estoque));
            prop_assert_eq!(antes, depois);
            prop_assert!(troca.is_some() || antes == (false, false));
        }
        // As contas são as de todas.
        let todas = || historias.iter().flat_map(|h| &h.operacoes);
        let leram = |que: fn(&Desfecho) -> bool| {
            todas().filter_map(|o| o.resposta.as_ref()).filter(|(_, d)| que(d)).count() as u64
        };
        prop_assert_eq!(conteudo.medidas.consultas, leram(|d| matches!(d, Leu(_))));
        prop_assert_eq!(conteudo.medidas.vendas, leram(|d| matches!(d, Comprou(_))));
        prop_assert_eq!(conteudo.medidas.recusas, leram(|d| matches!(d, Recusado)));
        // O cabeçalho, uma linha por operação e uma por AVISO.
        let avisos = historias.iter().flat_map(|h| &h.conexoes).flat_map(|p| &p.avisos).count();
        let linhas = String::from_utf8(escrito.lock().unwrap().clone()).unwrap().lines().count();
        prop_assert_eq!(linhas, 1 + todas().count() + avisos);
    }
}

// ---------------------------------------------------------------------------------------------
// O CSV.

/// Uma saída que guarda o que se escreve, e que pode falhar.
#[derive(Default)]
struct Saida {
    escrito: Arc<Mutex<Vec<u8>>>,
    falha: Falha,
}

#[derive(Default)]
enum Falha {
    #[default]
    Nunca,
    /// Depois de tantos bytes, sempre.
    Depois(usize),
    /// Só da primeira vez.
    UmaVez,
}

impl Write for Saida {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut escrito = self.escrito.lock().unwrap();
        let cabem = match self.falha {
            Falha::Nunca => bytes.len(),
            Falha::Depois(limite) => bytes.len().min(limite - escrito.len()),
            Falha::UmaVez => 0,
        };
        if cabem == 0 {
            if matches!(self.falha, Falha::UmaVez) {
                self.falha = Falha::Nunca;
            }
            return Err(io::Error::other("o disco encheu"));
        }
        escrito.extend_from_slice(&bytes[..cabem]);
        Ok(cabem)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn servidores() -> [String; 2] {
    ["a:1", "b:2"].map(String::from)
}

#[test]
fn o_csv_tem_uma_linha_por_operacao_e_uma_por_aviso() {
    let saida = Saida::default();
    let escrito = saida.escrito.clone();
    let mut guarda = Guarda::nova(2, GUARDADAS_MAXIMAS, &servidores(), Some(Box::new(saida)));
    let mut longa = operacao(1, 2, Leu(10));
    longa.servidor = Qual::de(1, 2);
    longa.marcada = Some(Duration::new(60, 500_000_000));
    longa.enviada = Duration::new(61, 7);
    longa.resposta = Some((Duration::new(62, 123_456_789), Leu(-10)));
    let mut calada = operacao(5, 6, Recusado);
    calada.resposta = None;
    let id = Id::ler(b"abc-2-1").unwrap();
    let pedido = Some(Box::new(Pedido { id, numero: 1, perguntas: 1, repetida: None }));
    guarda.receber(2, vec![longa, Operacao { pedido, ..operacao(2, 3, Comprou(9)) }]);
    let mut dela = historia(1, vec![operacao(3, 4, Recusado), calada]);
    dela.operacoes[1].conexao = 2;
    let conexao = |numero, avisos| Conexao { numero, avisos, ..Conexao::default() };
    dela.conexoes = vec![conexao(1, vec![]), conexao(2, vec![ms(9), ms(10)])];
    dela.conexoes[1].servidor = Qual::de(1, 2);
    dela.conexoes[1].outros_avisos = vec![ms(11)];
    let conteudo = guarda.concluir(vec![dela, historia(2, vec![operacao(8, 9, Leu(0))])]);
    assert!(conteudo.csv.is_ok());
    assert_eq!(
        String::from_utf8(escrito.lock().unwrap().clone()).unwrap(),
        "\
usuario,conexao,pedido,enviada_s,chegou_s,resultado,valor,servidor,marcada_s,id
2,1,CONSULTAR,61.000000007,62.123456789,leu,-10,b:2,60.500000000,
2,1,COMPRAR,0.002000000,0.003000000,comprou,9,a:1,,abc-2-1
1,1,COMPRAR,0.003000000,0.004000000,recusado,,a:1,,
1,2,COMPRAR,0.005000000,,sem-resposta,,a:1,,
1,2,AVISO,,0.009000000,aviso,,b:2,,
1,2,AVISO,,0.010000000,aviso,,b:2,,
2,1,CONSULTAR,0.008000000,0.009000000,leu,0,a:1,,
"
    );
}

#[test]
fn um_texto_estranho_cabe_em_uma_celula() {
    let textos = ["a,b", "diz \"oi\"", "\\u{1b}[31mvermelho", "", "ação, 'já'"];
    let saida = Saida::default();
    let escrito = saida.escrito.clone();
    let estranhas = textos.map(|texto| operacao(0, 1, Estranho(texto.into())));
    let conteudo = Guarda::nova(1, GUARDADAS_MAXIMAS, &servidores(), Some(Box::new(saida)))
        .concluir(vec![historia(1, estranhas.to_vec())]);
    assert!(conteudo.csv.is_ok());
    let escrito = escrito.lock().unwrap().clone();
    let mut leitor = csv::Reader::from_reader(escrito.as_slice());
    assert_eq!(leitor.headers().unwrap(), &csv::StringRecord::from(COLUNAS.to_vec()));
    let lidos: Vec<csv::StringRecord> = leitor.records().map(Result::unwrap).collect();
    assert_eq!(lidos.len(), textos.len());
    for (lido, texto) in lidos.iter().zip(textos) {
        assert_eq!(&lido[5], "de-outro-modo");
        assert_eq!(&lido[6], texto);
    }
    // Uma linha do arquivo por operação, e as aspas dobradas como manda o formato.
    let escrito = String::from_utf8(escrito).unwrap();
    assert_eq!(escrito.lines().count(), 1 + textos.len());
    assert!(escrito.contains(",de-outro-modo,\"a,b\",a:1,,\n"), "{escrito}");
    assert!(escrito.contains(",de-outro-modo,\"diz \"\"oi\"\"\",a:1,,\n"), "{escrito}");
}

#[test]
fn uma_saida_que_falha_da_o_erro_e_nada_mais_muda() {
    let operacoes = seguidas((0..2000).map(|n| if n % 3 == 0 { Comprou(n) } else { Leu(n / 9) }));
    let mut historias = vec![historia(1, operacoes[..1000].to_vec())];
    historias.push(historia(2, operacoes[1000..].to_vec()));
    let lotes = [LOTE, 1, LOTE];
    let inteiro = arquivar(&historias, &lotes, Some(Saida::default()));
    assert!(inteiro.csv.is_ok());
    let sem_csv = arquivar(&historias, &lotes, None);
    assert!(sem_csv.csv.is_ok());
    let falhas = [0, 1, 57, 8191, 8192, 8193, 50_000].map(Falha::Depois);
    for falha in falhas.into_iter().chain([Falha::UmaVez]) {
        let saida = Saida { falha, ..Saida::default() };
        let conteudo = arquivar(&historias, &lotes, Some(saida));
        assert_eq!(conteudo.csv.unwrap_err().to_string(), "o disco encheu");
        for outro in [&inteiro, &sem_csv] {
            assert_eq!(conteudo.historias, outro.historias);
            assert_eq!(conteudo.perdidas, outro.perdidas);
            let contas =
                |c: &cliente::historia::medidas::Medidas| (c.consultas, c.vendas, c.recusas);
            assert_eq!(contas(&conteudo.medidas), contas(&outro.medidas));
        }
    }
}

#[test]
fn a_saida_que_so_falha_no_fim_tambem_da_o_erro() {
    // Cabe tudo na memória do escritor, e só a última descarga chega à saída.
    let saida = Saida { falha: Falha::Depois(10), ..Saida::default() };
    let escrito = saida.escrito.clone();
    let conteudo = arquivar(&[historia(1, seguidas([Leu(1)]))], &[], Some(saida));
    assert_eq!(conteudo.csv.unwrap_err().to_string(), "o disco encheu");
    assert_eq!(escrito.lock().unwrap().as_slice(), b"usuario,co");
    assert_eq!(conteudo.historias[0].operacoes.len(), 1);
}
